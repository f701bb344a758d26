"""English protected from new tokens of a language that shares its script."""

from __future__ import annotations

from itertools import pairwise

import pico
import pytest
from trials import STYLES, content_of

from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words, words_of_lines
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.extend import segmenter
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.gates.english import changed_english, lines_of
from hubadapt.tokenizer.gates.trial import Trial
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.protect import TOLERATED, Protected, pairs_apart
from hubadapt.tokenizer.rules import Rules

LATIN = ("Latin",)
NEVER = ("The garden may never change.",)


def documents(texts: list[str], *, lines: int = 5) -> list[str]:
    return ["\n".join(texts[start : start + lines]) for start in range(0, len(texts), lines)]


def extended(content, protected: Protected, *, new_tokens: int = 60):
    """A base with French tokens, as a trial."""
    dialect, rules = dialect_of(content, LATIN), Rules(LATIN)
    rows = max(all_entries(content).values()) + 1
    lesson = Lesson(new_tokens, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    base = unchanged(content, rows)
    additions = learn(base, count_words(pico.french(), dialect, LATIN), lesson, protected=protected)
    grown = added(base, additions, new_tokens=new_tokens, first_id=rows)
    return Trial(content, grown.content, grown.copied, grown.tokens, LATIN)


def sample(content, texts: list[str], never: tuple[str, ...] = ()) -> Protected:
    return Protected.of_texts(texts, dialect_of(content, LATIN), LATIN, never=never)


@pytest.mark.parametrize("style", (*STYLES, "unigram"))
def test_of_a_protected_sample_no_more_lines_change_than_are_tolerated(style):
    content = content_of(style)
    # Lines of French in an English text are what can be allowed to change at all.
    english = documents([*pico.english(4000), *pico.french(30, seed=9)])
    free, careful = (extended(content, protected) for protected in (Protected(), sample(content, english)))
    counts = [changed_english(trial, english) for trial in (free, careful)]
    assert counts[0].lines_changed > TOLERATED * counts[0].lines > counts[1].lines_changed
    assert 0 < len(careful.tokens) <= len(free.tokens)


def test_lines_that_change_are_those_that_hold_a_pair_not_kept_apart():
    content = content_of()
    english = documents([*pico.english(3000), *pico.french(60, seed=9)])
    protected, dialect = sample(content, english), dialect_of(content, LATIN)
    words = count_words(pico.french(), dialect, LATIN)
    apart, segment = pairs_apart(protected, words, content), segmenter(content)(())
    merges = {tuple(merge) for merge in extended(content, protected).new_content["model"]["merges"]}
    assert apart.isdisjoint(merges)
    trial = extended(content, protected)
    for line in lines_of(english):
        of_line = next(iter(words_of_lines([line], dialect, LATIN)))[0]
        held = {pair for word in of_line for pair in pairwise(segment(word))} <= apart
        assert not held or not trial.compare_ids([line]).failures


@pytest.mark.parametrize("style", STYLES)
def test_a_text_that_may_never_change_does_not(style):
    content = content_of(style)
    french = ("la rivière et la maison", "une lettre")
    assert extended(content, sample(content, [])).compare_ids(french).failures
    assert not extended(content, sample(content, [], never=french)).compare_ids(french).failures


def pairs_left_out(gains: dict[str, float], texts: list[str]) -> set[str]:
    """Left out of units that are whole words."""
    content = content_of()
    dialect = dialect_of(content, LATIN)
    units = {(f"Ġ{word}",): gain for word, gain in gains.items()}
    protected = Protected.of_texts([f" {text}".replace("\n", "\n ") for text in texts], dialect, LATIN)
    left_out = protected.harmful(units, lambda word: [(word,)], dialect)
    return {word.removeprefix("Ġ") for (word,) in left_out} & gains.keys()


def test_what_the_language_has_much_oftener_than_english_goes_first():
    english = [f"said {'voila ' if number % 400 == 0 else ''}so" for number in range(4000)]
    rare = [f"said {'enter' if number % 20 == 0 else 'it'}" for number in range(4000)]
    gains = {"voila": 5000.0, "enter": 5000.0, "jardin": 5000.0}
    assert pairs_left_out(gains, [*english, *rare]) == {"enter"}


def test_a_line_is_judged_by_other_documents():
    """A name that one document repeats says nothing of names in texts that were not seen."""
    names = ["\n".join(["so said dupont"] * 60)]
    spread = ["so said dupont"] * 60
    rest = [f"so it was {'x' * (number % 7)}" for number in range(4000)]
    gains = {"dupont": 2000.0, "rare": 10.0}
    assert pairs_left_out(gains, [*spread, *rest]) == {"dupont"}
    # Sixty lines change if it is allowed, all of one document: more than may be expected to.
    assert pairs_left_out(gains, [*names, *rest]) >= {"rare", "dupont"}


def test_a_word_in_other_letter_case_is_evidence_too():
    texts = [f"so {'ENTER' if number % 100 < 20 else 'it'} was" for number in range(4000)]
    quoted = [f"he {'savoir' if number % 60 == 0 else 'it'} was" for number in range(4000)]
    gains = {"enter": 60.0, "jardin": 60.0, "savoir": 60.0}
    assert "enter" in pairs_left_out(gains, [*texts, *quoted])
    assert "jardin" not in pairs_left_out(gains, [*texts, *quoted])


def test_letters_beyond_ascii_make_english_unlikely():
    quoted = [f"he {'savoir' if number % 80 == 0 else 'it'} was" for number in range(4000)]
    gains = {"ete": 80.0, "Ã©tÃ©": 80.0, "savoir": 20_000.0}
    assert pairs_left_out(gains, quoted) == {"ete", "savoir"}


def test_words_of_a_small_sample_do_not_change_at_all():
    english = documents(pico.english(300))
    content = content_of()
    trial = extended(content, sample(content, english))
    assert changed_english(trial, english).lines_changed == 0


def test_nothing_is_kept_apart_without_a_sample():
    assert pairs_apart(Protected(), {"Ġrivière": 4}, content_of()) == frozenset()
