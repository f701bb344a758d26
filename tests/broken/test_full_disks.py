"""A disk that fills while something is fetched: two lines that name it, and no half of a file."""

from __future__ import annotations

import errno
import os

import pico
import pytest
from huggingface_hub import HfApi, constants

from hubadapt.corpus.hub_dataset import HubDataset, stream_documents
from hubadapt.errors import HubError


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("Data processing error: I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "hf_xet"],
)
def test_a_disk_that_fills_during_a_download_is_named(cli, workshop, at_hub, hub, base, tmp_path, monkeypatch, full):
    def fill(*arguments: object, **options: object) -> None:
        raise full

    cache = tmp_path / "cache"
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/large", exist_ok=True)
    api.upload_folder(repo_id="local/large", folder_path=base)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.file_download.http_get", fill)
    monkeypatch.setattr("huggingface_hub.file_download.xet_get", fill)
    workshop.content["base"] = "local/large"
    workshop.write()
    before = pico.listing(workshop.folder)
    with at_hub(hub.endpoint):
        outcome = cli("run", workshop.recipe)
    problem, hint = outcome.err.splitlines()[-2:]
    revision = api.model_info("local/large").sha
    assert (outcome.code, outcome.out) == (1, "")
    assert problem.startswith(f"the disk of {cache} is full (")
    assert problem.endswith(f" GB free) while local/large@{revision} was fetched.")
    assert hint.startswith("Make room, or move the cache: export HF_HOME=")
    assert pico.listing(workshop.folder) == before
    assert not [path for path in cache.rglob("*.incomplete")]


def test_a_disk_that_fills_while_a_dataset_is_read_is_not_taken_for_a_bad_dataset(monkeypatch):
    def fill(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("datasets.load_dataset", fill)
    dataset = HubDataset("some/texts", "0" * 40)
    with pytest.raises(HubError, match=r"is full \(.* GB free\) while datasets/some/texts@0{40} was fetched"):
        list(stream_documents(dataset, license="mit"))


def test_a_disk_that_fills_during_a_run_is_told_and_the_run_goes_on_afterwards(cli, workshop, monkeypatch):
    writes = []

    def fill(descriptor: int) -> None:
        writes.append(descriptor)
        if len(writes) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    workshop.content["stages"] = workshop.content["stages"][:1]
    workshop.write()
    monkeypatch.setattr("os.fsync", fill)
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [
        "there is no room left on the disk.", "Make room, then run the same command again to go on.",
    ]  # fmt: skip
    assert not (workshop.out / "hubadapt.json").exists()
    assert cli("run", workshop.recipe).code == 0
    assert [record.name for record in workshop.manifest.stages] == ["corpus"]


def test_other_failures_of_the_system_keep_their_traceback(cli, workshop, at_hub, hub, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bug (os error 5)")

    monkeypatch.setattr("huggingface_hub.HfApi.snapshot_download", fail)
    HfApi(endpoint=hub.endpoint, token=hub.token).create_repo("local/buggy", exist_ok=True)
    workshop.content["base"] = "local/buggy"
    workshop.write()
    with at_hub(hub.endpoint), pytest.raises(RuntimeError, match="a bug"):
        cli("check", workshop.recipe)
