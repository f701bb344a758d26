"""Splits and the corpus stage; sources that cannot be read are in `tests/broken/test_bad_corpora.py`."""

from __future__ import annotations

import itertools
import json
import shutil

import pico
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.corpus.dataset import read_split, read_weighted, split_file
from hubadapt.corpus.split import first_passage, held_out_by, pick_evenly, text_hash


@given(st.text(max_size=30), st.floats(0.01, 0.99))
def test_what_is_held_out_stays_so_with_a_larger_share(text, share):
    digest = text_hash(text)
    assert held_out_by(digest, share) <= held_out_by(digest, min(share + 0.3, 1.0))


def test_the_split_has_about_the_share_asked_for():
    held = sum(held_out_by(text_hash(str(number)), 0.1) for number in range(4000))
    assert 340 < held < 460


@given(st.text(st.sampled_from("аб \n"), max_size=80), st.integers(1, 40))
def test_a_passage_is_a_beginning_no_longer_than_asked_for(text, limit):
    passage = first_passage(text, limit)
    assert len(passage) <= limit
    lines = [line.strip() for line in text.strip().splitlines()]
    assert "".join("".join(lines).split()).startswith("".join(passage.split()))


def test_a_passage_is_whole_lines_or_cut_at_a_space():
    assert first_passage("one\ntwo\nthree", 9) == "one\ntwo"
    assert first_passage("one two three", 9) == "one two"


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_texts_are_picked_in_order_and_evenly(numbers, count):
    texts = [f"{place}" for place in range(len(numbers))]
    picked = pick_evenly(texts, count)
    places = [int(text) for text in picked]
    assert len(picked) == min(count, len(texts)) and places == sorted(set(places))
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.fixture
def corpus(workshop):
    workshop.content["stages"] = workshop.content["stages"][:1]
    workshop.write()
    workshop.run()
    return workshop


def folder_of(workshop):
    return workshop.out / "0-corpus" / "dataset"


def test_no_document_is_in_both_splits_and_none_is_lost(corpus):
    train, test = (read_split(folder_of(corpus), split, "ru") for split in ("train", "test"))
    assert not set(train) & set(test)
    expected = {json.loads(line)["text"] for line in (corpus.folder / "ru.jsonl").read_text("utf-8").splitlines()}
    assert set(train) | set(test) == expected


def test_other_languages_are_only_measured_on(corpus):
    assert read_split(folder_of(corpus), "train", "en") == []
    assert len(read_split(folder_of(corpus), "test", "en")) == 10


def test_a_language_that_is_split_as_well_is_split_by_the_same_rule_and_loses_nothing(corpus):
    before = read_split(folder_of(corpus), "test", "en")
    own = [read_split(folder_of(corpus), split, "ru") for split in ("train", "test")]
    corpus.stage("corpus")["also_split"] = ["en"]
    corpus.write()
    corpus.run()
    train, test = (read_split(folder_of(corpus), split, "en") for split in ("train", "test"))
    assert train and test and [text for text in before if text in test] == test
    assert {*train} | {*test} == {*before} and not {*train} & {*test}
    assert all(held_out_by(text_hash(text), 0.2) == (text in test) for text in before)
    assert [read_split(folder_of(corpus), split, "ru") for split in ("train", "test")] == own


def test_a_language_that_is_split_as_well_must_have_text_for_both(cli, corpus):
    corpus.stage("corpus")["also_split"] = ["en", "el"]
    outcome = cli("run", corpus.write())
    assert outcome.code == 1
    assert "the 'el' corpus leaves 0 documents to train on and 0 to measure on." in outcome.err


def test_equal_and_blank_documents_are_taken_once_and_never(corpus):
    different = [f"Это строка {number}." for number in range(20)]
    rows = [{"text": text} for text in [*different, *different, " "] * 3]
    (corpus.folder / "ru.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus.stage("corpus")["held_out"] = 0.5
    corpus.write()
    corpus.run()
    taken = [text for split in ("train", "test") for text in read_split(folder_of(corpus), split, "ru")]
    assert sorted(taken) == sorted(different)


def test_the_record_counts_what_the_files_hold(corpus):
    table = {row["language"]: row for row in corpus.manifest.stages[0].facts["sources"]}
    for language, split in (("ru", "train"), ("ru", "test"), ("en", "test")):
        texts = read_split(folder_of(corpus), split, language)
        assert table[language][f"{split}_documents"] == len(texts)
        assert table[language][f"{split}_characters"] == sum(map(len, texts))
        assert table[language][f"{split}_bytes"] == sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(("share", "trained", "held"), [(1e-6, 1, 0), (0.999999, 0, 1)])
def test_a_corpus_with_nothing_to_train_on_or_nothing_held_out_is_refused(cli, corpus, share, trained, held):
    pico.write_jsonl(corpus.folder / "ru.jsonl", ["Раз."])
    corpus.stage("corpus").update(held_out=share)
    outcome = cli("run", corpus.write())
    assert outcome.code == 1
    assert outcome.err.endswith(
        f"the 'ru' corpus leaves {trained} documents to train on and {held} to measure on.\n"
        "Give it more documents, or another share: `held_out:` of the stage corpus.\n"
    )


def test_a_second_run_writes_the_same_bytes(corpus, tmp_path):
    other = corpus.copy(tmp_path / "again")
    shutil.rmtree(other.out)
    other.run()
    for split in ("train", "test"):
        assert split_file(folder_of(other), split).read_bytes() == split_file(folder_of(corpus), split).read_bytes()
    assert other.manifest.stages[0].facts == corpus.manifest.stages[0].facts


def test_a_weight_is_recorded_and_read_with_every_text_and_repeats_none(corpus):
    pico.write_jsonl(corpus.folder / "more.jsonl", pico.russian(40, seed=9))
    sources = corpus.stage("corpus")["sources"]
    sources.insert(1, {"path": "more.jsonl", "language": "ru", "license": "mit", "weight": 4})
    corpus.write()
    corpus.run()
    expected = {
        json.loads(line)["text"]: weight
        for name, weight in (("ru.jsonl", 1), ("more.jsonl", 4))
        for line in (corpus.folder / name).read_text("utf-8").splitlines()
    }
    read = [pair for split in ("train", "test") for pair in read_weighted(folder_of(corpus), split, "ru")]
    assert dict(read) == expected and len(read) == len(expected)
    facts = corpus.manifest.stages[0].facts["read"]
    assert [(row["source"], row["weight"]) for row in facts] == [("ru.jsonl", 1), ("more.jsonl", 4), ("en.jsonl", 1)]
    assert facts[1]["train_documents"] + facts[1]["test_documents"] == 10


def test_a_folder_is_read_file_by_file_and_each_is_an_input(corpus):
    for name, seed in (("b.jsonl", 21), ("a/c.jsonl", 22)):
        pico.write_jsonl(corpus.folder / "texts" / name, pico.russian(40, seed=seed))
    corpus.stage("corpus")["sources"] = [{"path": "texts", "language": "ru", "license": "mit"}]
    corpus.write()
    corpus.run()
    record = corpus.manifest.stages[0]
    assert {"texts/a/c.jsonl", "texts/b.jsonl"} < record.inputs.keys()
    assert [row["source"] for row in record.facts["sources"]] == ["b.jsonl", "c.jsonl"]


def test_no_more_documents_are_taken_than_asked_for(corpus):
    corpus.stage("corpus")["sources"][0]["max_documents"] = 20
    corpus.stage("corpus")["held_out"] = 0.4
    corpus.write()
    corpus.run()
    taken = [text for split in ("train", "test") for text in read_split(folder_of(corpus), split, "ru")]
    lines = (corpus.folder / "ru.jsonl").read_text("utf-8").splitlines()
    assert sorted(taken) == sorted(json.loads(line)["text"] for line in lines[:20])


def test_bars_run_over_the_bytes_of_the_files(corpus):
    seen = []
    shutil.rmtree(corpus.out)
    corpus.run(pico.recording("reading ru.jsonl", seen))
    assert sum(seen) == (corpus.folder / "ru.jsonl").stat().st_size


def test_the_table_of_origins_stays_short(corpus, monkeypatch):
    monkeypatch.setattr("hubadapt.stages.corpus._ORIGINS", 3)
    rows = [{"text": f"Строка {number}.", "source": f"page {number}"} for number in range(20)]
    (corpus.folder / "ru.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus.stage("corpus")["held_out"] = 0.5
    corpus.write()
    corpus.run()
    table = corpus.manifest.stages[0].facts["sources"]
    assert [row["source"] for row in table] == ["en.jsonl", "page 0", "page 1", "page 2", "ru.jsonl"]
    counted = [row.get("train_documents", 0) + row.get("test_documents", 0) for row in table]
    assert counted[1:] == [1, 1, 1, 17]


@pytest.mark.parametrize("without", [("path",), ()])
def test_a_source_with_no_place_or_two_is_refused(cli, corpus, without):
    source = corpus.stage("corpus")["sources"][0] | {"hub": "local/rows"}
    corpus.stage("corpus")["sources"][0] = {
        key: value for key, value in source.items() if key not in without and (not without or key != "hub")
    }
    outcome = cli("check", corpus.write())
    assert outcome.code == 1
    assert "a source has either `path` or `hub`" in outcome.err
