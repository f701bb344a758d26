"""A run's English text in two parts."""

from __future__ import annotations

import pico
import pytest

from hubadapt.corpus.dataset import DatasetWriter
from hubadapt.corpus.english import read_english

TEXTS = pico.english(200)


@pytest.fixture
def dataset(tmp_path):
    """Writes a dataset folder of English texts and one of another language."""

    def write(name: str, texts: list[str], trained: int = 0):
        with DatasetWriter(tmp_path / name) as writer:
            row = {"source": "s", "license": "cc0-1.0"}
            writer.add("train", {"text": "Dehors, la nuit.", "language": "fr", "id": "fr", **row})
            for number, text in enumerate(texts):
                split = "train" if number < trained else "test"
                writer.add(split, {"text": text, "language": "en", "id": str(number), **row})
            writer.end_source(1.0)
        return tmp_path / name

    return write


def test_what_judges_was_not_protected(dataset):
    protected, judged = read_english(dataset("all", TEXTS))
    assert not {*protected} & {*judged}
    assert {*protected, *judged} == {*TEXTS}
    assert len(judged) == len({*TEXTS}) // 10


def test_the_parts_depend_on_the_texts_alone(dataset):
    assert read_english(dataset("one", TEXTS)) == read_english(dataset("other", TEXTS[::-1] + TEXTS[:5], trained=50))


def test_two_texts_give_both_parts_one(dataset):
    assert [len(part) for part in read_english(dataset("two", TEXTS[:2]))] == [1, 1]
    assert read_english(dataset("none", [])) == ([], [])


def test_no_more_is_taken_than_is_worth_it(dataset):
    protected, judged = read_english(dataset("all", TEXTS), most=2000)
    assert 1900 < sum(map(len, [*protected, *judged])) <= 2000
    assert judged
