"""The owner's part of a card: whatever stands in it comes back, and nothing else is taken for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubadapt.hub.owner_words import BEGIN, END, split_words, with_room, with_words

cards = st.text(max_size=80).filter(lambda text: BEGIN not in text and END not in text)


@given(cards, cards)
def test_words_come_back_as_they_were_written(card, words):
    room = with_room(card)
    assert split_words(room) == (room, "")
    assert split_words(with_words(room, words)) == (room, words.removeprefix("\n") if words[:1] != "\n" else words)


@given(cards, cards)
def test_words_that_someone_typed_right_behind_the_mark_are_found_too(card, words):
    head, tail = with_room(card).split(f"{BEGIN}\n")
    found = split_words(f"{head}{BEGIN} {words}{tail}")
    assert found is not None
    assert found == (with_room(card), f" {words}")


@given(cards)
def test_without_both_marks_once_and_in_order_there_are_no_words(card):
    for text in (card, card + BEGIN, card + END, f"{END}{card}{BEGIN}", with_room(with_room(card))):
        assert split_words(text) is None


def test_a_card_that_quotes_the_marks_loses_nothing():
    room = with_room(f"# A\n{BEGIN}\nquoted\n{END}\n")
    assert with_words(room, "mine\n").endswith(f"{BEGIN}\nmine\n{END}\n")
    assert split_words(room) is None
