"""An extended tokenizer: all other text keeps its ids, all text survives, on three kinds of byte-level BPE."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import pico
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import assigned, mixed_text, other_text, russian_text
from tokenizers import Tokenizer

from hubadapt.tokenizer.byte_level import byte_to_char, piece_to_bytes
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.extend import extend, segmenter
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.gates import GATES, Trial, check_gates
from hubadapt.tokenizer.learn import Lesson, learn_merges
from hubadapt.tokenizer.measure import characters_per_token
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import letter_pattern, occurs_in_scripts_alone

CYRILLIC = ("Cyrillic",)


def extended(style: str, texts: list[str], new_tokens: int = 60):
    old = pico.tokenizer_of(style)
    content = json.loads(old.to_str())
    dialect, rules = dialect_of(content, CYRILLIC), Rules(CYRILLIC)
    words = count_words(texts, dialect, CYRILLIC)
    lesson = Lesson(new_tokens, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    merges = learn_merges(words, all_entries(content), segmenter(content), lesson)
    vocabulary = extend(content, merges, first_id=max(all_entries(content).values()) + 1)
    return old, vocabulary.tokenizer, vocabulary


@pytest.fixture(scope="module", params=pico.BYTE_LEVEL_STYLES)
def pair(request):
    """An old and an extended tokenizer, with the extension."""
    return extended(request.param, pico.russian())


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def text_of(tokenizer: Tokenizer, text: str) -> str:
    return tokenizer.decode(ids(tokenizer, text), skip_special_tokens=False)


@settings(max_examples=150)
@given(text=other_text)
@example(text="naïve Ω ≈ 中文 עברית  \n\n\t 🙂👩‍🚀 e\u0301 \u0300")
@example(
    text="\u2de0"
)  # a Cyrillic mark is no Cyrillic letter elsewhere: dropped by the strategy, kept here on purpose
def test_text_without_the_script_keeps_its_ids(pair, text):
    old, new, _ = pair
    if not letter_pattern(CYRILLIC).search(text):
        assert ids(new, text) == ids(old, text)


@settings(max_examples=100)
@given(text=mixed_text)
def test_any_text_survives_a_round_trip(pair, text):
    old, new, _ = pair
    expected = text if old.normalizer is None else unicodedata.normalize("NFC", text)
    assert text_of(new, text) == text_of(old, text)
    if old.normalizer is None or unicodedata.is_normalized("NFC", text):
        assert text_of(new, text) == expected


@given(text=russian_text)
def test_text_in_the_script_never_takes_more_tokens(pair, text):
    old, new, _ = pair
    assert len(ids(new, text)) <= len(ids(old, text))


@given(text=mixed_text)
def test_new_tokens_taken_apart_are_a_segmentation_of_the_same_text(pair, text):
    old, new, extension = pair
    apart = [piece for token in ids(new, text) for piece in (
        extension.pieces[token - extension.first_new] if token >= extension.first_new else (token,)
    )]  # fmt: skip
    assert old.decode(apart, skip_special_tokens=False) == text_of(old, text)
    assert max(apart, default=0) < extension.first_new


def test_every_new_token_is_the_sum_of_its_pieces(pair):
    old, _, extension = pair
    for token, pieces in zip(extension.tokens, extension.pieces, strict=True):
        assert b"".join(piece_to_bytes(old.id_to_token(piece)) for piece in pieces) == piece_to_bytes(token)
        assert occurs_in_scripts_alone(piece_to_bytes(token), CYRILLIC)


def test_old_entries_keep_their_ids_and_new_ids_have_no_gap(pair):
    old, new, extension = pair
    vocab = new.get_vocab()
    assert old.get_vocab().items() <= vocab.items()
    assert [vocab[token] for token in extension.tokens] == list(range(extension.first_new, len(vocab)))


def test_the_same_corpus_gives_the_same_bytes(pair):
    style = pico.BYTE_LEVEL_STYLES[0]
    one, other = (extended(style, pico.russian())[2] for _ in range(2))
    assert json.dumps(one.content) == json.dumps(other.content)


def test_the_order_of_documents_does_not_matter():
    texts = pico.russian()
    assert extended("gpt2", texts)[2] == extended("gpt2", texts[::-1])[2]


@settings(max_examples=15)
@given(st.lists(st.text(st.sampled_from("абвё "), min_size=1, max_size=12), min_size=1, max_size=12))
def test_every_gate_holds_for_any_corpus(texts):
    texts = [text for text in texts if text.strip()] or ["аб"]
    old, _, extension = extended("gpt2", texts * 3, new_tokens=30)
    content = json.loads(old.to_str())
    trial = Trial(content, extension.content, extension.copied, extension.tokens, CYRILLIC, target=texts)
    quick = {name: check for name, check in GATES.items() if name not in ("code-points", "digits")}
    assert all(not gate.failed for gate in check_gates(trial, gates=quick))


def test_asking_for_fewer_tokens_gives_the_first_of_those_from_asking_for_more():
    texts = pico.russian()
    few, many = (extended("gpt2", texts, new_tokens=count)[2].tokens for count in (20, 60))
    assert (len(few), len(many)) == (20, 60)
    assert few == many[:20]


@pytest.mark.parametrize("style", pico.BYTE_LEVEL_STYLES)
@settings(max_examples=100)
@given(text=mixed_text)
@example(text="\tтекст\n  два\r\n\u00a0три—«четыре»x")
def test_words_are_counted_as_if_the_whole_text_were_cut_at_once(style, text):
    tokenizer = pico.byte_level_tokenizer(style)
    content = json.loads(tokenizer.to_str())
    whole = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
    dialect = dialect_of(content)
    words = Counter(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(whole))
    expected = {
        word: count for word, count in words.items() if letter_pattern(CYRILLIC).search(dialect.to_text(word) or "")
    }
    assert count_words([text], dialect, CYRILLIC) == expected


def test_counting_adds_up_over_texts():
    dialect, texts = dialect_of(json.loads(pico.byte_level_tokenizer().to_str())), pico.russian(10)
    assert count_words(texts, dialect, CYRILLIC) == sum(
        (count_words([text], dialect, CYRILLIC) for text in texts), Counter()
    )


@given(st.binary(max_size=30))
def test_bytes_survive_the_byte_level_alphabet(data):
    assert piece_to_bytes("".join(byte_to_char()[byte] for byte in data)) == data


def test_the_byte_level_alphabet_is_the_one_of_tokenizers():
    from tokenizers import pre_tokenizers

    assert set(byte_to_char().values()) == set(pre_tokenizers.ByteLevel.alphabet())


def beginnings(script: str) -> dict[bytes, bool]:
    """By brute force over all of Unicode: each beginning of a character's bytes, and whether it means the script."""
    pattern, known = letter_pattern((script,)), {}
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Cs"):
            continue
        data, inside = character.encode(), bool(pattern.match(character))
        for length in range(1, len(data) + 1):
            known[data[:length]] = known.get(data[:length], True) and inside
    return known


@pytest.fixture(scope="module")
def cyrillic() -> dict[bytes, bool]:
    return beginnings("Cyrillic")


@settings(max_examples=150)
@given(text=mixed_text, start=st.integers(0, 20), length=st.integers(1, 12))
def test_which_bytes_belong_to_the_script_alone_agrees_with_brute_force(cyrillic, text, start, length):
    text = "".join(character for character in text if assigned(character))
    data = text.encode()[start : start + length]
    starts = [i for i, byte in enumerate(data) if byte >= 0xC2]
    ends = [i + (2 if data[i] < 0xE0 else 3 if data[i] < 0xF0 else 4) for i in starts]
    expected = any(cyrillic[data[i : min(end, len(data))]] for i, end in zip(starts, ends, strict=True))
    assert occurs_in_scripts_alone(data, CYRILLIC) == expected


@given(text=other_text)
def test_no_part_of_other_text_is_taken_for_the_script(text):
    data = text.encode()
    assert not any(
        occurs_in_scripts_alone(data[i:j], CYRILLIC)
        for i in range(len(data))
        for j in range(i + 1, min(i + 7, len(data)))
    )


@given(st.lists(mixed_text.filter(bool), min_size=1, max_size=6))
def test_density_is_characters_over_tokens(texts):
    tokenizer = pico.byte_level_tokenizer()
    density = characters_per_token(tokenizer, texts)
    expected = sum(map(len, texts)) / sum(len(ids(tokenizer, text)) for text in texts)
    assert density.value == pytest.approx(expected)
    assert density.n == len(texts) and density.stderr >= 0


def test_density_of_equal_texts_has_no_error():
    density = characters_per_token(pico.byte_level_tokenizer(), ["The river."] * 5)
    assert density.stderr == pytest.approx(0, abs=1e-12)
