"""Which model of a run a repository holds, and what of it is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hubadapt.errors import HubError
from hubadapt.lineage import MAIN, Names
from hubadapt.types import FileEntry, Manifest
from hubadapt.verify.published import HubFile, Published
from hubadapt.verify.record import files_to_load, which_model

RECORD = Manifest.model_validate_json((Path(__file__).parents[2] / "golden" / "hubadapt.json").read_text("utf-8"))
MODELS = {artifact.name: artifact for artifact in RECORD.artifacts() if artifact.kind == "model"}
LAYOUTS = [Names(RECORD, "me"), Names(RECORD, "me", "revisions")]


def repository(id: str, branch: str = MAIN, *, of: str = "") -> Published:
    """A repository with the files of one of the models, or with none of them."""
    files = {entry.path: HubFile(entry.size, entry.sha256) for entry in MODELS[of].files} if of else {}
    return Published(id, branch, "0" * 40, files)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("names", LAYOUTS, ids=["repositories", "revisions"])
def test_a_model_is_found_by_its_address_in_either_layout(names, name):
    found = which_model(RECORD, repository(names[name], names.revision(name)), LAYOUTS)
    assert found == (MODELS[name], names)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_under_another_name_is_found_by_its_weights(name):
    assert which_model(RECORD, repository("you/copy", of=name), LAYOUTS)[0] == MODELS[name]


def test_a_name_counts_for_more_than_weights_which_may_be_changed():
    assert which_model(RECORD, repository("me/pico-ru-embed", of="pretrain"), LAYOUTS)[0] == MODELS["embed"]
    assert which_model(RECORD, repository("you/other-embed"), LAYOUTS)[0] == MODELS["embed"]


def test_another_model_is_refused_with_the_names_of_those_that_would_do():
    with pytest.raises(
        HubError, match=r"you/copy@0{12} is none of the models .*: embed, pretrain, propagate-instruct\."
    ):
        which_model(RECORD, repository("you/copy"), LAYOUTS)


def test_only_files_that_models_are_loaded_from_are_downloaded_and_each_must_be_there():
    own = repository("me/pico-ru-embed", of="embed")
    others = ("evil.py", "training_args.bin", "checkpoint-1/config.json", "hubadapt.json", "trainer_state.json")
    more = [FileEntry(path=path, size=1, sha256="0") for path in others]
    artifact = MODELS["embed"].model_copy(update={"files": (*MODELS["embed"].files, *more)})
    assert files_to_load(own, artifact) == [entry.path for entry in MODELS["embed"].files]
    lacking = replace(own, files={path: file for path, file in own.files.items() if path != "tokenizer.json"})
    with pytest.raises(HubError, match=r"lacks tokenizer\.json"):
        files_to_load(lacking, artifact)
