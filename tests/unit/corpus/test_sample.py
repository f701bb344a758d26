"""What is measured on is never learnt from, and does not depend on the order of files."""

from __future__ import annotations

import pico
import pytest

from hubadapt.corpus.sample import MOST_CHARACTERS, MOST_TEXTS, read_sample

CYRILLIC = ("Cyrillic",)


@pytest.fixture
def files(tmp_path):
    names = ("a.jsonl", "b.jsonl", "c.jsonl")
    return [pico.write_jsonl(tmp_path / name, pico.russian(100, seed=seed)) for seed, name in enumerate(names)]


def test_a_tenth_is_measured_and_the_rest_learnt_from(files):
    sample = read_sample("ru", CYRILLIC, files, [])
    assert (len(sample.measured), len(sample.learnt)) == (7, 68)
    assert not {*sample.measured} & {*sample.learnt}


def test_the_order_of_files_does_not_matter(files):
    assert read_sample("ru", CYRILLIC, files, []) == read_sample("ru", CYRILLIC, files[::-1], [])


def test_texts_that_are_measured_are_not_learnt_from_a_corpus_that_holds_them_too(files):
    sample = read_sample("ru", CYRILLIC, files[:1], files)
    assert (len(sample.measured), len(sample.learnt)) == (25, 50)
    assert not {*sample.measured} & {*sample.learnt}


def test_equal_texts_count_once(files):
    assert read_sample("ru", CYRILLIC, [*files, *files], []) == read_sample("ru", CYRILLIC, files, [])


def test_nothing_is_kept_for_learning_unless_asked(files):
    sample = read_sample("ru", CYRILLIC, files, [], split=False)
    assert (len(sample.measured), len(sample.learnt)) == (75, 0)


def test_no_more_than_enough_is_measured(tmp_path):
    many = pico.write_jsonl(tmp_path / "many.jsonl", pico.russian(MOST_TEXTS + 50), together=1)
    assert len(read_sample("ru", CYRILLIC, [many], [], split=False).measured) == MOST_TEXTS
    long = pico.write_jsonl(tmp_path / "long.jsonl", pico.russian(1000), together=1000)
    assert 0.9 * MOST_CHARACTERS < len(read_sample("ru", CYRILLIC, [long], []).measured[0]) <= MOST_CHARACTERS
