"""Hub datasets as sources, on the embedded Hub; each test works in repositories of its own."""

from __future__ import annotations

import itertools
import json

import datasets
import pico
import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hubadapt.corpus.dataset import read_split
from hubadapt.corpus.documents import Document
from hubadapt.corpus.hub_dataset import HubDataset, pin_dataset, stream_documents

NUMBERS = itertools.count()
COLUMN = "Name the column that holds the text: `column:` of this source in the recipe."
OTHER = "Choose another dataset, configuration or revision: owner/name@revision under `hub:` in the recipe."
CONFIGS = """---
configs:
- config_name: news
  data_files: [{split: train, path: news.jsonl}]
- config_name: books
  data_files: [{split: train, path: books.jsonl}, {split: validation, path: more.jsonl}]
---
"""


def lines(*texts: str, **more: str) -> bytes:
    return "".join(json.dumps({"text": text, **more}, ensure_ascii=False) + "\n" for text in texts).encode()


def parquet(columns: dict) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def publish(hub, at_hub, monkeypatch):
    """Publish files as a dataset, or as its next version, and send this process to that Hub; its id and commit."""
    # `datasets` reads the address when it is imported.
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.endpoint)
    with at_hub(hub.endpoint, hub.token):

        def push(files: dict[str, bytes], id: str | None = None) -> tuple[str, str]:
            id = id or f"texts/set-{next(NUMBERS)}"
            HfApi().create_repo(id, repo_type="dataset", exist_ok=True)
            made = [CommitOperationAdd(path, data) for path, data in files.items()]
            return id, HfApi().create_commit(id, made, commit_message="Text", repo_type="dataset").oid

        yield push


@pytest.fixture
def hub_corpus(publish, workshop):
    """A workshop whose first source is a Hub dataset; only the corpus is run."""
    id, _ = publish({"train.jsonl": lines(*pico.russian(60))})
    workshop.content["stages"] = workshop.content["stages"][:1]
    workshop.stage("corpus")["sources"][0] = {"hub": id, "language": "ru", "license": "cc0-1.0"}
    workshop.write()
    return workshop


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "txt"])
def test_documents_of_a_dataset_name_it_and_its_commit(publish, kind):
    texts = ["Раз.", "Два."]
    data = {"jsonl": lines(*texts), "parquet": parquet({"text": texts}), "txt": "\n".join(texts).encode()}[kind]
    id, commit = publish({f"train.{kind}": data})
    source = f"{id}@{commit[:12]}"
    expected = [Document("Раз.", source, "mit", "0"), Document("Два.", source, "mit", "1")]
    assert list(stream_documents(HubDataset(id, commit), license="mit")) == expected


def test_ids_and_licences_of_rows_are_taken_and_their_sources_are_not(publish):
    id, commit = publish({"train.jsonl": lines("Раз.", id="x", license="cc0-1.0", source="page")})
    (document,) = stream_documents(HubDataset(id, commit), license="mit")
    assert (document.id, document.license, document.source) == ("x", "cc0-1.0", f"{id}@{commit[:12]}")


def test_configuration_split_and_column_are_the_ones_asked_for(publish):
    files = {f"{name}.jsonl": lines("no", body=name) for name in ("news", "books", "more")}
    id, commit = publish({"README.md": CONFIGS.encode(), **files})
    asked = HubDataset(id, commit, "books", "validation")
    assert [document.text for document in stream_documents(asked, license="mit", column="body")] == ["more"]


def test_a_pinned_dataset_stays_as_it_was(publish):
    id, first = publish({"train.jsonl": lines("Раз.")})
    assert pin_dataset(id).revision == first
    _, second = publish({"train.jsonl": lines("Два.")}, id)
    assert pin_dataset(id).revision == second != first
    assert pin_dataset(f"{id}@{first}").revision == first
    assert [document.text for document in stream_documents(HubDataset(id, first), license="mit")] == ["Раз."]


def test_a_run_reads_the_commit_it_records(hub_corpus):
    hub_corpus.run()
    record = hub_corpus.manifest.stages[0]
    source = hub_corpus.stage("corpus")["sources"][0]["hub"]
    commit = pin_dataset(source).revision
    assert record.inputs[f"hub:{source}"] == commit
    assert record.facts["read"][0] == {
        "source": f"hub:{source}", "language": "ru", "weight": 1, "revision": commit,
        "train_documents": 50, "test_documents": 10,
    }  # fmt: skip
    folder = hub_corpus.out / "0-corpus" / "dataset"
    taken = [text for split in ("train", "test") for text in read_split(folder, split, "ru")]
    assert sorted(taken) == sorted(pico.russian(60))
    assert record.facts["sources"][1]["source"] == f"{source}@{commit[:12]}"


def test_a_run_is_skipped_until_the_dataset_changes(hub_corpus, publish):
    hub_corpus.run()
    hub_corpus.run()
    assert hub_corpus.ran() == []
    publish({"more.jsonl": lines(*pico.russian(20, seed=8))}, hub_corpus.stage("corpus")["sources"][0]["hub"])
    hub_corpus.run()
    assert hub_corpus.ran() == ["corpus"]


def test_no_more_is_taken_of_a_dataset_than_asked_for_and_the_bar_says_so(hub_corpus):
    source = hub_corpus.stage("corpus")["sources"][0]
    source["max_documents"] = 30
    hub_corpus.write()
    seen = []
    hub_corpus.run(pico.recording(f"reading {source['hub']}", seen))
    assert sum(seen) == 30
    read = hub_corpus.manifest.stages[0].facts["read"][0]
    assert read["train_documents"] + read["test_documents"] == 30


def test_the_check_reads_no_more_of_a_dataset_than_its_beginning(cli, workshop, publish):
    good = lines(*pico.russian(150), id="x")
    id, _ = publish({"train-0.jsonl": good, "train-1.jsonl": b'{"text": null}\n'})
    workshop.stage("corpus")["sources"][0] = {"hub": id, "language": "ru", "license": "mit"}
    assert cli("check", workshop.write()).code == 0
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1 and "row 151 has no text" in outcome.err
    assert not list(workshop.out.glob("0-corpus/dataset"))


@pytest.fixture
def refused(cli, workshop, publish):
    """Run with a dataset of these files as the only source; ID stands for its id, PINNED for that and its commit."""

    def check(files: dict[str, bytes], problem: str, hint: str, **source: str):
        id, commit = publish(files)
        workshop.stage("corpus")["sources"] = [{"hub": id, "language": "ru", "license": "mit"} | source]
        workshop.write()
        before = pico.listing(workshop.folder)
        outcome = cli("run", workshop.recipe)
        assert (outcome.code, outcome.out) == (1, "")
        found, advice = outcome.err.replace(f"{id}@{commit[:12]}", "PINNED").replace(id, "ID").splitlines()
        assert found.startswith(problem) and advice == hint
        assert pico.listing(workshop.folder) == before

    return check


def test_a_dataset_that_does_not_exist_is_named(cli, workshop, hub, publish):
    workshop.stage("corpus")["sources"] = [{"hub": "texts/nothing", "language": "ru", "license": "mit"}]
    outcome = cli("run", workshop.write())
    assert (outcome.code, outcome.err) == (
        1,
        f"datasets/texts/nothing does not exist on {hub.endpoint}, or is private.\n"
        "Check the spelling; a folder starts with ./ ; for a private one: hf auth login\n",
    )


def test_a_revision_that_does_not_exist_is_named(refused, publish):
    id, _ = publish({"train.jsonl": lines("Раз.")})
    refused(
        {},
        f"datasets/{id}@v9: there is no such revision.",
        "Leave the part after @ out to take the newest.",
        hub=f"{id}@v9",
    )


def test_a_hub_that_does_not_answer_is_said(cli, workshop):
    workshop.stage("corpus")["sources"] = [{"hub": "texts/any", "language": "ru", "license": "mit"}]
    outcome = cli("run", workshop.write())
    assert outcome.code == 1
    assert outcome.err.startswith("the Hub at http://127.0.0.1:1 does not answer (datasets/texts/any).\n")


SPLIT = "Name one with `split:` of this source in the recipe."
CONFIG = "Name one with `config:` of this source in the recipe."
SEVERAL = {"README.md": CONFIGS.encode()} | {f"{name}.jsonl": lines("Раз.") for name in ("news", "books", "more")}
HALF = b'{"text": "\\ud83d"}\n'


@pytest.mark.parametrize(
    ("files", "source", "problem", "hint"),
    [
        ({"train.jsonl": lines("Раз.")}, {"split": "dev"}, "has no split 'dev'; it has 'train'.", SPLIT),
        ({"test.jsonl": lines("Раз.")}, {}, "has no split 'train'; it has 'test'.", SPLIT),
        (SEVERAL, {}, "has several configurations; there are 'news', 'books'.", CONFIG),
        (SEVERAL, {"config": "web"}, "has no configuration 'web'; there are 'news', 'books'.", CONFIG),
        ({"train.parquet": parquet({"body": ["x"]})}, {}, "has no column 'text'; it has 'body'.", COLUMN),
        ({"train.jsonl": b'{"body": "x"}\n'}, {}, "has no column 'text'; it has 'body'.", COLUMN),
        ({"train.parquet": parquet({"text": [5]})}, {}, "row 1 holds no text in 'text', but int: 5.", COLUMN),
        (
            {"train.parquet": parquet({"text": ["Раз.", None]})}, {}, "row 2 has no text: 'text' is empty.",
            "Remove the row, or fill it.",
        ),
        ({"train.jsonl": lines("а\0б")}, {}, "row 1 holds a NUL character, at character 2.", "Remove it, or the row."),
        ({"train.jsonl": HALF}, {}, "cannot be read: ", OTHER),
        ({"train.txt": "Раз".encode("cp1251")}, {}, "cannot be read: 'utf-8' codec can't decode byte 0xd0", OTHER),
        ({"train.parquet": b"PAR1 no parquet PAR1"}, {}, "cannot be read: ", OTHER),
        ({"train.jsonl.gz": b"no gzip"}, {}, "cannot be read: ", OTHER),
        ({"picture.bin": b"x"}, {}, "cannot be read: No (supported) data files found in ID.", OTHER),
    ],
)  # fmt: skip
def test_a_dataset_that_cannot_be_used_says_why(refused, files, source, problem, hint):
    refused(files, f"the Hub dataset PINNED {problem}", hint, **source)


def test_an_empty_dataset_is_refused(refused):
    refused(
        {"train.jsonl": lines("", " ")},
        "the corpus hub:ID is empty.",
        "Check `path` or `hub` under `corpus.sources` in the recipe.",
    )


@pytest.mark.parametrize("hub", ["rows", "a/b/c", "./rows", "owner/name@", "https://huggingface.co/a/b"])
def test_what_is_no_id_is_refused_before_the_hub_is_asked(cli, workshop, hub):
    workshop.stage("corpus")["sources"] = [{"hub": hub, "language": "ru"}]
    outcome = cli("check", workshop.write())
    assert outcome.code == 1
    assert "stage corpus has a bad value for 'sources.0.hub'" in outcome.err
