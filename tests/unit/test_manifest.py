"""The manifest on disk, and the hashes it is made of."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.errors import ManifestError
from hubadapt.manifest import damage, fingerprint, hash_folder, is_intact, list_files, read_manifest, write_manifest
from hubadapt.types import Artifact, Manifest, Metric, ModelRef, StageRecord

finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)  # fmt: skip
keys = st.text(max_size=8)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    metrics = st.builds(
        Metric, name=keys, value=finite, unit=keys,
        higher_is_better=st.none() | st.booleans(), model=keys, n=st.integers(0, 99),
        stderr=st.none() | st.floats(0, 9),
    )  # fmt: skip
    records = st.builds(
        StageRecord, name=keys, kind=keys, params=st.dictionaries(keys, plain, max_size=3),
        inputs=st.dictionaries(keys, keys, max_size=3), metrics=st.lists(metrics, max_size=2).map(tuple),
        artifacts=st.just(()), facts=st.dictionaries(keys, plain, max_size=3), seconds=st.floats(0, 1e6),
        fingerprint=keys,
    )  # fmt: skip
    return draw(
        st.builds(
            Manifest, name=keys, language=keys, license=keys, recipe=st.text(), schema_version=st.just(1),
            base=st.builds(ModelRef, id=keys, revision=keys, local=st.booleans()), siblings=st.just({}),
            packages=st.dictionaries(keys, keys, max_size=2), hardware=st.just({}),
            stages=st.lists(records, max_size=2).map(tuple),
        )
    )  # fmt: skip


@given(manifests())
def test_a_manifest_reads_back_equal_and_writes_the_same_bytes(manifest):
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(Path(folder), manifest)
        first = (Path(folder) / "hubadapt.json").read_bytes()
        read = read_manifest(Path(folder))
        write_manifest(Path(folder), read)
        assert (Path(folder) / "hubadapt.json").read_bytes() == first
        assert os.listdir(folder) == ["hubadapt.json"]
    assert read == manifest


def minimal(**changes: object) -> Manifest:
    content = {"name": "a", "language": "ru", "license": "mit", "base": {"id": "b", "revision": "c"}, "recipe": ""}
    return Manifest.model_validate({**content, **changes})


@given(st.binary(max_size=60))
def test_any_other_bytes_are_a_damaged_manifest(data):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hubadapt.json").write_bytes(data)
        with pytest.raises(ManifestError, match=r"hubadapt\.json is damaged at"):
            read_manifest(Path(folder))


def test_a_number_that_is_none_is_refused():
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            Metric(name="a", value=value, unit="", higher_is_better=None, model="m")


@given(st.dictionaries(keys, plain, max_size=4))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value):
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))
    assert fingerprint(value) == fingerprint(json.loads(json.dumps(value)))


@given(st.dictionaries(keys, plain, max_size=4), keys)
def test_a_fingerprint_changes_with_any_change(value, key):
    assert fingerprint(value) != fingerprint({**value, key: "something that no strategy draws"})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run" / "a" / "sub").mkdir(parents=True)
    (tmp_path / "run" / "a" / "x.txt").write_bytes(b"one")
    (tmp_path / "run" / "a" / "sub" / "y.txt").write_bytes(b"two")
    return tmp_path / "run" / "a"


def test_files_are_listed_in_order_without_hidden_and_cache_files(folder):
    (folder / ".hidden").write_bytes(b"")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "z.pyc").write_bytes(b"")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"")
    assert [(entry.path, entry.size) for entry in list_files(folder)] == [("sub/y.txt", 3), ("x.txt", 3)]


def test_a_folders_hash_is_of_names_and_contents_alone(folder, tmp_path):
    before = hash_folder(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    os.utime(moved / "x.txt", (0, 0))
    assert hash_folder(moved) == before
    (moved / "x.txt").rename(moved / "z.txt")
    assert hash_folder(moved) != before


def test_damage_is_named_and_nothing_else_is_damage(folder):
    artifact = Artifact(name="a", kind="report", folder="a", files=list_files(folder))
    record = StageRecord(name="s", kind="s", params={}, inputs={}, artifacts=(artifact,), seconds=0, fingerprint="")
    run = folder.parent
    assert damage(run, artifact) is None and is_intact(run, record)
    (folder / "extra").write_bytes(b"x")
    assert is_intact(run, record)
    (folder / "x.txt").write_bytes(b"ONE")
    assert damage(run, artifact, thorough=False) is None
    assert damage(run, artifact) == f"a/x.txt differs from the recorded hash {artifact.files[1].sha256[:12]}…"
    (folder / "x.txt").write_bytes(b"longer")
    assert damage(run, artifact) == "a/x.txt has 6 bytes, recorded were 3"
    (folder / "x.txt").unlink()
    assert damage(run, artifact) == "a/x.txt is missing"
    assert not is_intact(run, record)


def test_unknown_keys_are_errors():
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        minimal(licence="mit")


def test_sources_are_the_base_and_then_the_siblings():
    manifest = minimal(siblings={"z": {"id": "z", "revision": "1"}, "a": {"id": "a", "revision": "2"}})
    assert list(manifest.sources()) == ["base", "z", "a"]
