"""Licence files of sources travel with what is made from them, whether those lie in a folder or in the Hub's cache."""

from __future__ import annotations

import pytest
from huggingface_hub import HfApi

from hubadapt.hub.draft import draft
from hubadapt.hub.fetch import cached_folder, local_folder, resolve
from hubadapt.types import ModelRef


def files_of(workshop) -> dict[str, set[str]]:
    plans = draft(workshop.out, "me").plans
    return {plan.id.split("/")[1]: {upload.path for upload in plan.uploads} for plan in plans}


@pytest.fixture
def licensed(workshop):
    """A run whose base has licence files and a notice."""
    for name in ("LICENSE", "NOTICE", "COPYING"):
        (workshop.folder / "base" / name).write_text(f"Text of the {name}.\n", "utf-8")
    workshop.content["stages"] = workshop.content["stages"][:3]
    workshop.write()
    workshop.run()
    return workshop


def test_a_folders_licence_files_travel_with_it_and_with_every_model_made_from_it(licensed):
    files = files_of(licensed)
    assert {"LICENSE", "NOTICE", "COPYING"} <= files["pico-ru-source-base"] & files["pico-ru-embed"]
    assert not {"LICENSE", "NOTICE", "COPYING"} & files["pico-ru-corpus"]


def test_those_of_a_model_on_the_hub_come_from_its_cache(hub, at_hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/licensed")
    content = {
        "README.md": b"---\nlicense: other\nlicense_name: own-1.0\nlicense_link: LICENSE\n---\n",
        "LICENSE": b"Text.\n",
        "config.json": b"{}",
    }
    for path, data in content.items():
        api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id="local/licensed")
    with at_hub(hub.endpoint, hub.token):
        found = resolve("local/licensed", tmp_path)
        assert found.ref.license == "own-1.0"
        assert cached_folder(found.ref) is None
        local_folder(found.ref, tmp_path)
    folder = cached_folder(found.ref)
    assert folder is not None and (folder / "LICENSE").read_bytes() == b"Text.\n"
    assert cached_folder(ModelRef(id="local/nothing", revision="0" * 40)) is None
