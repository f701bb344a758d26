"""The floor bounds every vocabulary, a sweep's sizes are those of runs that ask for them, and the knee is a knee."""

from __future__ import annotations

import json
import math
from functools import cache

import pico
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import mixed_text, russian_text
from tokenizers import Tokenizer

from hubadapt.ratio import Ratio
from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.characters import missing_characters
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.extend import extend, segmenter
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.floor import floor_of
from hubadapt.tokenizer.learn import Lesson, learn_merges
from hubadapt.tokenizer.measure import characters_per_token, density_of, tokens_of
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.sweep import Point, Sweep, ends_rising, knee, sweep_sizes

CYRILLIC = ("Cyrillic",)
STYLES = (*pico.BYTE_LEVEL_STYLES, "byte-fallback")


@cache
def content_of(style: str):
    return json.loads(pico.tokenizer_of(style).to_str())


@cache
def learnt(style: str, new_tokens: int):
    """Characters and merges that a run asking for so many tokens learns of generated Russian."""
    content = content_of(style)
    dialect, rules = dialect_of(content, CYRILLIC), Rules(CYRILLIC)
    words = count_words(pico.russian(), dialect, CYRILLIC)
    lesson = Lesson(new_tokens, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    characters = missing_characters(words, content, lesson)
    rest = Lesson(new_tokens - len(characters), 2, lesson.allow)
    return characters, learn_merges(words, all_entries(content), segmenter(content, characters), rest)


@cache
def tokenizers_of(style: str) -> tuple[Tokenizer, ...]:
    """One with the style's own vocabulary, and some with Russian tokens."""
    first_id = max(all_entries(content_of(style)).values()) + 1
    grown = []
    for size in (40, 120, 400):
        characters, merges = learnt(style, size)
        grown.append(extend(content_of(style), merges, first_id=first_id, characters=characters).tokenizer)
    return (pico.tokenizer_of(style), *grown)


def sweep_of(values: dict[int, float], *, old_rows: int = 49_152) -> Sweep:
    points = [Point(size, Ratio(value, 0.0, 1), Ratio(value / values[0], 0.0, 1)) for size, value in values.items()]
    return Sweep(old_rows, tuple(points))


@pytest.mark.parametrize("style", STYLES)
@given(text=mixed_text)
@example(text="Утро  в лесу:\n\n\tтихо, 12 345\u00a0км — naïve\r\n«да»   ")
@example(text="a<|im_start|>б<|im_end|>\n<|endoftext|>")
def test_no_vocabulary_takes_fewer_tokens_than_the_floor(style, text):
    least = floor_of(content_of(style), CYRILLIC)([text])[0]
    assert all(tokens_of(tokenizer, [text])[0] >= least for tokenizer in tokenizers_of(style))


@pytest.mark.parametrize("style", STYLES)
def test_a_vocabulary_of_all_words_reaches_the_floor(style):
    text = " ".join(["снова дорога несёт"] * 4)
    content = content_of(style)
    words = count_words([text], dialect_of(content, CYRILLIC), CYRILLIC)
    lesson = Lesson(500, 1, allow=lambda entry: True)
    characters = missing_characters(words, content, lesson)
    merges = learn_merges(words, all_entries(content), segmenter(content, characters), lesson)
    first_id = max(all_entries(content).values()) + 1
    tokenizer = extend(content, merges, first_id=first_id, characters=characters).tokenizer
    assert tokens_of(tokenizer, [text]).tolist() == floor_of(content, CYRILLIC)([text])


@given(st.lists(russian_text.filter(str.strip), min_size=1, max_size=5))
def test_headroom_is_the_floor_over_the_density(texts):
    density = density_of(content_of("llama3"), texts, CYRILLIC)
    assert density.headroom.value == pytest.approx(density.floor.value / density.characters.value)
    assert density.headroom.value >= 1
    assert density.bytes.value == pytest.approx(
        density.characters.value * sum(len(text.encode()) for text in texts) / sum(map(len, texts))
    )
    assert density.total_characters == sum(map(len, texts))


def test_scripts_without_spaces_have_no_words():
    texts = ["今日は良い天気です。"]
    assert density_of(content_of("gpt2"), texts, ("Hiragana", "Katakana", "Han")).words is None
    words = density_of(content_of("gpt2"), ["Утро, l'été 2026."], CYRILLIC).words
    assert words.value == pytest.approx(4 / len(pico.tokenizer_of("gpt2").encode("Утро, l'été 2026.").ids))


@pytest.mark.parametrize("style", STYLES)
def test_each_size_of_a_sweep_is_what_a_run_asking_for_it_gives(style):
    content, texts = content_of(style), pico.russian(60, seed=9)
    first_id = max(all_entries(content).values()) + 1
    characters, merges = learnt(style, 160)
    sweep = sweep_sizes(content, Additions(characters, merges), texts, (10, 40, 160), old_rows=first_id)
    for point in sweep.points[1:]:
        own_characters, own_merges = learnt(style, point.new_tokens)
        own = extend(content, own_merges, first_id=first_id, characters=own_characters)
        assert len(own.tokens) == point.new_tokens
        assert point.characters_per_token == characters_per_token(own.tokenizer, texts)


@pytest.mark.parametrize("style", STYLES)
def test_a_sweep_starts_at_the_base_and_never_falls(style):
    content, texts = content_of(style), pico.russian(60, seed=9)
    seen: list[int] = []
    additions = Additions(*learnt(style, 160))
    sweep = sweep_sizes(content, additions, texts, (160, 20, 20), old_rows=512, advance=seen.append)
    assert [point.new_tokens for point in sweep.points] == [0, 20, 160]
    assert seen == [1, 1, 1]
    assert sweep.points[0].characters_per_token == characters_per_token(pico.tokenizer_of(style), texts)
    gains = [point.gain.value for point in sweep.points]
    assert gains[0] == 1 and gains == sorted(gains)
    for point in sweep.points:
        assert point.characters_per_token.value == pytest.approx(
            point.gain.value * sweep.points[0].characters_per_token.value
        )


def test_sweeps_over_the_same_texts_join_in_order_of_size():
    content, texts = content_of("gpt2"), pico.russian(20)
    additions = Additions(*learnt("gpt2", 160))
    parts = [sweep_sizes(content, additions, texts, sizes, old_rows=340) for sizes in ((20, 160), (50,))]
    assert parts[0].joined(parts[1]) == sweep_sizes(content, additions, texts, (20, 50, 160), old_rows=340)


def test_the_knee_of_a_logarithm_is_where_its_slope_is_one_percent_a_thousand():
    sizes = [0, *(256 * 2**power for power in range(9))]
    values = {size: 2 + 0.4 * math.log(1 + size / 256) for size in sizes}
    found = knee(sweep_of(values))
    slope = 0.4 / (256 + found - 64) / (2 + 0.4 * math.log(1 + (found - 64) / 256)) * 1000
    assert 0.01 <= slope < 0.0102
    assert not ends_rising(sweep_of(values))


def test_the_knee_of_an_elbow_is_the_elbow():
    assert knee(sweep_of({0: 1.0, 2048: 2.0, 4096: 3.0, 8192: 3.0, 16384: 3.0})) == 4096


def test_the_knee_does_not_move_with_sizes_measured_beyond_it():
    values = {size: 2 + 0.4 * math.log(1 + size / 256) for size in (0, 256, 1024, 4096, 16384, 65536)}
    shorter = {size: value for size, value in values.items() if size <= 16384}
    assert knee(sweep_of(values)) == knee(sweep_of(shorter)) > 0


def test_a_steep_beginning_that_is_late_is_not_missed():
    assert knee(sweep_of({0: 1.0, 1024: 1.001, 4096: 2.0, 8192: 2.001})) == 4096


def test_a_vocabulary_that_gains_nothing_has_no_knee():
    sweep = sweep_of({0: 4.5, 1024: 4.52, 4096: 4.55, 16384: 4.7})
    assert knee(sweep) == 0
    assert not ends_rising(sweep)


def test_a_curve_that_still_rises_has_its_knee_at_its_end():
    sweep = sweep_of({0: 1.0, 1024: 2.0, 4096: 3.5})
    assert knee(sweep) == 4096
    assert ends_rising(sweep)


def test_sizes_too_small_for_a_multiple_of_rows_have_no_knee():
    assert knee(sweep_of({0: 1.0, 100: 2.0})) == 0
    assert knee(sweep_of({0: 1.0, 100: 2.0}, old_rows=100)) == 28


@given(
    old_rows=st.integers(1, 300_000),
    sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=8, unique=True),
    steps=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_the_knee_makes_a_multiple_of_128_rows_within_what_was_measured(old_rows, sizes, steps):
    values, value = {0: 1.0}, 1.0
    for size, step in zip(sorted(sizes), steps, strict=False):
        value += step
        values[size] = value
    found = knee(sweep_of(values, old_rows=old_rows))
    assert 0 <= found <= max(sizes)
    assert found == 0 or (old_rows + found) % 128 == 0
