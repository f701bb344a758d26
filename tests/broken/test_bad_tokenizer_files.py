"""SentencePiece and tekken files that cannot be used: two lines before anything runs, and nothing is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pico
import pytest
import sentencepieces
from sentencepiece import sentencepiece_model_pb2

from hubadapt.errors import MissingExtraError, ModelError, UserError
from hubadapt.tokenizer.sources import read_source, write_source

WHOLE = sentencepieces.trained("bpe")
DAMAGED = {
    "empty": b"",
    "text": b"this is no protobuf",
    "random": bytes(range(256)) * 40,
    "cut in a piece": WHOLE[: len(WHOLE) // 3],
    "cut in the middle": WHOLE[: len(WHOLE) // 2],
    "cut at the end": WHOLE[:-7],
}


def pieces_alone() -> bytes:
    """A model that was cut exactly behind its pieces: still valid protobuf."""
    whole = sentencepiece_model_pb2.ModelProto.FromString(WHOLE)
    return sentencepiece_model_pb2.ModelProto(pieces=whole.pieces).SerializeToString()


DAMAGED["cut behind the pieces"] = pieces_alone()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return sentencepieces.write_model(tmp_path_factory.mktemp("bad") / "base", "bpe")


@pytest.fixture
def workshop(tmp_path, base):
    return pico.Workshop.build(tmp_path / "work", base=base, without=("sample",))


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_base_with_a_damaged_model_is_refused(cli, workshop, data, command):
    path = workshop.folder / "base" / "tokenizer.model"
    path.write_bytes(data)
    before = pico.listing(workshop.folder)
    outcome = cli(command, workshop.recipe)
    assert (outcome.code, outcome.err) == (
        1, f"{path} is no readable SentencePiece model.\nDownload or copy the tokenizer again.\n",
    )  # fmt: skip
    assert pico.listing(workshop.folder) == before


def test_a_base_with_a_model_needs_the_package(cli, workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    before = pico.listing(workshop.folder)
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err == (
        "reading a SentencePiece tokenizer.model needs packages that are not installed.\n"
        "pip install 'hubadapt[sentencepiece]'\n"
    )
    assert pico.listing(workshop.folder) == before


def test_without_a_model_the_package_is_not_needed(cli, workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    (workshop.folder / "base" / "tokenizer.model").unlink()
    assert cli("check", workshop.recipe).code == 0


def test_a_byte_level_bases_file_of_that_name_is_not_read_and_not_carried_along(cli, tmp_path):
    workshop = pico.Workshop.build(tmp_path / "work", without=("embed", "pretrain", "evaluate", "sample"))
    (workshop.folder / "base" / "tokenizer.model").write_bytes(b"IQ== 0\nIg== 1\n")
    assert cli("run", workshop.recipe).code == 0
    assert not list(workshop.out.rglob("tokenizer.model"))


def test_a_base_with_a_model_alone_is_told_how_to_make_the_other_file(cli, workshop):
    base = workshop.folder / "base"
    (base / "tokenizer.json").unlink()
    problem, hint = cli("check", workshop.recipe).err.splitlines()
    assert problem == f"{base} holds no tokenizer.json."
    exec(hint.split('"')[1], {})
    assert cli("check", workshop.recipe).code == 0


def test_nothing_can_be_taken_out_of_a_unigram(cli, tmp_path):
    base = sentencepieces.write_model(tmp_path / "base", "unigram")
    workshop = pico.Workshop.build(tmp_path / "work", base=base)
    workshop.stage("tokenizer").update(keep_first=100)
    workshop.write()
    outcome = cli("check", workshop.recipe)
    assert (outcome.code, outcome.err) == (
        1,
        "the base's vocabulary is a Unigram, of which nothing can be taken out.\n"
        "Leave out `keep_first` and `drop_scripts`; `method: replace` trains a smaller one.\n",
    )


def test_training_a_unigram_needs_the_extra(cli, tmp_path, monkeypatch):
    base = sentencepieces.write_model(tmp_path / "base", "unigram")
    (base / "tokenizer.model").unlink()
    workshop = pico.Workshop.build(tmp_path / "work", base=base)
    workshop.stage("corpus")["also_split"] = ["en"]
    workshop.stage("tokenizer").clear()
    workshop.stage("tokenizer").update(method="replace", new_tokens=150, ratios={"ru": 1, "en": 1})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = cli("check", workshop.write())
    assert (outcome.code, outcome.err) == (
        1,
        "training a Unigram vocabulary needs packages that are not installed.\npip install 'hubadapt[sentencepiece]'\n",
    )


def refused(path: Path, target: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        write_source(path, target)
    assert not target.exists()
    assert len(str(caught.value).splitlines()) == 2
    return caught.value


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_model_is_no_source(tmp_path, data):
    (tmp_path / "some.model").write_bytes(data)
    error = refused(tmp_path / "some.model", tmp_path / "out")
    assert isinstance(error, ModelError)
    assert error.problem == f"{tmp_path / 'some.model'} is no readable SentencePiece model."


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: json.dumps({"vocab": []}),
        lambda text: text.replace('"token_bytes": "', '"token_bytes": "A', 1),
        lambda text: json.dumps(json.loads(text) | {"vocab": json.loads(text)["vocab"][40:]}),
        lambda text: json.dumps(json.loads(text) | {"config": {"pattern": "("}}),
    ],
    ids=["empty", "cut", "a list", "no config", "no base64", "bytes without an entry", "no pattern"],
)
def test_a_damaged_tekken_file_is_no_source(tmp_path, spoil):
    path = sentencepieces.write_tekken(tmp_path / "tekken.json", pico.tokenizer_of("llama3"))
    path.write_text(spoil(path.read_text("utf-8")), "utf-8")
    error = refused(path, tmp_path / "out")
    assert isinstance(error, ModelError)
    assert error.problem.startswith(f"{path} is no readable tekken file: ")
    assert error.hint == "Download or copy the tokenizer again."


def test_a_source_that_is_not_there_is_named(tmp_path):
    assert "there is no tokenizer at" in refused(tmp_path / "nothing", tmp_path / "out").problem
    (tmp_path / "empty").mkdir()
    assert "holds no tokenizer" in refused(tmp_path / "empty", tmp_path / "out").problem


def test_a_model_needs_the_package(tmp_path, monkeypatch):
    (tmp_path / "some.model").write_bytes(WHOLE)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    assert isinstance(refused(tmp_path / "some.model", tmp_path / "out"), MissingExtraError)


@pytest.mark.parametrize(
    ("field", "value"), [("model_type", 3), ("model_type", 4), ("treat_whitespace_as_suffix", True)]
)
def test_a_model_of_another_kind_is_refused(tmp_path, field, value):
    model = sentencepiece_model_pb2.ModelProto.FromString(WHOLE)
    setattr(model.trainer_spec, field, value)
    (tmp_path / "some.model").write_bytes(model.SerializeToString())
    error = refused(tmp_path / "some.model", tmp_path / "out")
    assert "of a kind that tokenizer.json cannot hold" in error.problem


def test_a_model_whose_ids_the_json_cannot_give_is_refused(tmp_path):
    """A user-defined symbol after the space that stands before all text is segmented otherwise."""
    model = sentencepiece_model_pb2.ModelProto.FromString(WHOLE)
    model.pieces[len(model.pieces) - 1].type = model.pieces[len(model.pieces) - 1].USER_DEFINED
    model.pieces[len(model.pieces) - 1].piece = "The"
    (tmp_path / "some.model").write_bytes(model.SerializeToString())
    assert (
        "gives other ids than the tokenizer.json made of it"
        in refused(tmp_path / "some.model", tmp_path / "out").problem
    )


@pytest.mark.parametrize("name", ["tokenizer.json", "tekken.json", "tokenizer.model", "spiece.model"])
def test_a_folder_is_a_source_whatever_it_holds(tmp_path, name):
    sentencepieces.write_folder(tmp_path / "made", "bpe")
    folder = tmp_path / "folder"
    if name == "tekken.json":
        sentencepieces.write_tekken(folder / name, pico.tokenizer_of("llama3"))
    else:
        folder.mkdir()
        made = tmp_path / "made" / ("tokenizer.json" if name == "tokenizer.json" else "tokenizer.model")
        (folder / name).write_bytes(made.read_bytes())
    assert read_source(folder) == read_source(folder / name)
    written = write_source(folder, tmp_path / "out")
    assert json.loads((written / "tokenizer.json").read_text("utf-8")) == read_source(folder)
    assert (written / "tokenizer.model").exists() == name.endswith(".model")
