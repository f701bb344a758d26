"""Gates on decoding: text comes back from its ids, all at once and bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from hubadapt.errors import ModelError
from hubadapt.loading import attempt
from hubadapt.tokenizer.families import unknown_entry
from hubadapt.tokenizer.gates.probes import CODE, ENGLISH, MATHS, OTHER_SCRIPTS
from hubadapt.tokenizer.gates.trial import Finding, Trial, compare, decode, encode, round_trip
from hubadapt.tokenizer.gates.unicode import culprits, every_character, faults, faulty_strings, strings_of

_UNFINISHED = "\ufffd"
_STREAMED_TEXTS = 20
_STREAMED_CHARACTERS = 300


def texts(trial: Trial) -> Finding:
    """Text survives encoding and decoding, or is lost as the base loses it."""
    tried = [*ENGLISH, *CODE, *MATHS, *OTHER_SCRIPTS, *trial.english, *trial.target]
    before, after = round_trip(trial.old, tried), round_trip(trial.new, tried)
    unknown = unknown_entry(trial.old_content)
    return compare(
        (text, new == text, not loses_no_more(old, new, unknown))
        for text, old, new in zip(tried, before, after, strict=True)
    )


def loses_no_more(before: str, after: str, unknown: str | None) -> bool:
    """Whether one text that came back is another, but for what stands where the other has the unknown token.

    Args:
        before: What the base gives back.
        after: What the changed tokenizer does.
        unknown: The base's unknown token, as text.
    """
    first, *rest = before.split(unknown) if unknown else [before]
    if not rest:
        return before == after
    *middle, last = rest
    if len(after) < len(first) + len(last) or not (after.startswith(first) and after.endswith(last)):
        return False
    place, end = len(first), len(after) - len(last)
    for part in middle:
        found = after.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def code_points(trial: Trial) -> Finding:
    """Every code point but the surrogates survives, or is lost as the base loses it."""

    def is_lost(texts: Sequence[str]) -> list[bool]:
        return [text != left for text, left in zip(texts, round_trip(trial.new, texts), strict=True)]

    def is_lost_otherwise(texts: Sequence[str]) -> list[bool]:
        triples = zip(texts, round_trip(trial.old, texts), round_trip(trial.new, texts), strict=True)
        return [new != text and not loses_no_more(old, new, unknown) for text, old, new in triples]

    unknown, characters = unknown_entry(trial.old_content), every_character()
    lossy = faulty_strings(strings_of(characters), is_lost)
    failures = culprits(faulty_strings(lossy, is_lost_otherwise), is_lost_otherwise)
    lost = faults([character for string in lossy for character in string], is_lost)
    reported = len({*lost} - {*failures})
    return Finding(len(characters), [_named(failure) for failure in failures], reported)


def _named(characters: str) -> str:
    return f"U+{ord(characters):04X} {characters}" if len(characters) == 1 else characters


def streaming(trial: Trial) -> Finding:
    """Text that grows token by token is never rewritten, but for a character that is not complete yet."""
    samples = [text[:_STREAMED_CHARACTERS] for text in trial.target[:_STREAMED_TEXTS]]
    samples += [*OTHER_SCRIPTS]
    return compare((text, _streams(trial.new, text), _streams(trial.old, text)) for text in samples)


def _streams(tokenizer: Tokenizer, text: str) -> bool:
    ids = encode(tokenizer, [text])[0]
    shown = ""
    for prefix in decode(tokenizer, [ids[:end] for end in range(1, len(ids) + 1)]):
        # Readers wait for the rest of a character; until then byte fallback may show its neighbours as broken too.
        if not prefix.endswith(_UNFINISHED):
            if not prefix.startswith(shown):
                return False
            shown = prefix
    try:
        return attempt(lambda: _streamed(tokenizer, ids), "the text cannot be streamed") == shown
    except ModelError:
        return False


def _streamed(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    stream = DecodeStream(skip_special_tokens=False)
    return "".join(stream.step(tokenizer, index) or "" for index in ids)
