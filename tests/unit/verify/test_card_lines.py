"""Which lines of a card were changed in their numbers alone."""

from __future__ import annotations

import pytest

from hubadapt.errors import CardError
from hubadapt.verify.card import changed_lines, read_claims

CARD = """---
license: mit
---

# A model of 135M parameters

| | language | n | before | after |
|---|---|---:|---:|---:|
| characters per token | ru | 5 | 0.5561 ± 0.0066 | 1.582 ± 0.054 |
| bits per byte | ru | 5 | 10.89 ± 0.073 | 3.935 ± 0.16 |

| 80 | 1.62 ± 0.032 |
| 40 | 1.21 ± 0.021 |

80 tokens were added to 49,152; 1e-05 is small.
"""


def test_a_card_has_no_changed_line_beside_itself():
    assert changed_lines(CARD, CARD) == []


@pytest.mark.parametrize("number", ["0.5561", "1.582", "3.935", "0.16", "0.021", "49,152", "1e-05", " 5 | 0"])
def test_any_changed_number_shows_its_line_beside_the_recorded_one(number):
    other = number.replace(*("5", "7") if "5" in number else ("2", "4") if "2" in number else ("6", "8"))
    lied = CARD.replace(number, other, 1)
    assert lied != CARD
    ((line, recorded),) = changed_lines(lied, CARD)
    assert line in lied and recorded in CARD and other.strip() in line


def test_among_rows_of_one_shape_the_nearest_is_shown():
    assert changed_lines(CARD.replace("1.21 ±", "9.99 ±"), CARD) == [("| 40 | 9.99 ± 0.021 |", "| 40 | 1.21 ± 0.021 |")]


def test_what_the_owner_adds_rewords_or_leaves_out_is_no_change():
    words = CARD + "\nMy own benchmark gives 99.9 points.\n\n| mine | 3 |\n"
    assert changed_lines(words, CARD) == []
    assert changed_lines(CARD.replace("80 tokens were added", "I added 90 tokens"), CARD) == []
    assert changed_lines(CARD.replace("| 80 | 1.62 ± 0.032 |\n", ""), CARD) == []


def test_rows_without_a_word_are_passed_over_where_the_owner_may_have_such():
    own = CARD + "\n| 10 | 0.9 ± 0.1 |\n"
    assert changed_lines(own, CARD)
    assert changed_lines(own, CARD, words_alone=True) == []
    assert changed_lines(own.replace("3.935", "1.935"), CARD, words_alone=True)


def test_a_number_with_fewer_or_more_digits_is_the_same_number():
    assert changed_lines(CARD.replace("0.5561 ± 0.0066", "0.56 ± 0.007"), CARD) == []
    assert changed_lines(CARD, CARD.replace("0.5561 ± 0.0066", "0.56 ± 0.007")) == []
    assert changed_lines(CARD.replace("0.5561 ±", "0.57 ±"), CARD)


def test_numbers_that_no_float_holds_are_changed_ones():
    assert changed_lines(CARD.replace("1e-05", "1e+999"), CARD)
    assert changed_lines(CARD.replace("49,152", "9" * 400), CARD)


def test_front_matter_is_no_line():
    assert changed_lines(CARD.replace("license: mit", "license: mit\nnumber: 5"), CARD + "number: 7\n") == []


def index(*metrics: object) -> str:
    dataset = "{type: me/texts, name: t, args: {language: ru}}"
    result = f"task: {{type: text-generation}}, dataset: {dataset}, metrics: [{', '.join(map(str, metrics))}]"
    return f"---\nmodel-index:\n- name: m\n  results:\n  - {{{result}}}\n---\n"


def test_claims_are_read_by_name_and_language_with_the_dataset_that_they_are_of():
    card = index("{type: bits_per_byte, value: 1.5}", "{type: note, value: good}")
    assert read_claims(card, "me/m") == ({("bits_per_byte", "ru"): 1.5}, ["me/texts"])
    assert read_claims("---\nlicense: mit\n---\n", "me/m") == ({}, [])


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ("# no front matter", "the card of me/m has no front matter."),
        ("---\n: [\n---\n", "the front matter of the card of me/m"),
        ("---\nmodel-index: 5\n---\n", "the card of me/m has a model-index that is no list of models."),
        (index("{value: 1}"), "the card of me/m has a model-index that has a metric without `type` and `value`."),
    ],
)
def test_a_card_that_cannot_be_read_is_named(card, problem):
    with pytest.raises(CardError) as caught:
        read_claims(card, "me/m")
    assert caught.value.problem.startswith(problem)
