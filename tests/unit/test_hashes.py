"""Remembered hashes are those of the files as they are now, whatever was done to the files meanwhile."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from hubadapt import hashes
from hubadapt.hashes import Hashes, cache_folder, remembered
from hubadapt.manifest import hash_file


@pytest.fixture
def later(monkeypatch):
    """A clock by which every file of a test is old."""
    monkeypatch.setattr(hashes, "time_ns", lambda: time.time_ns() + 10**10)


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read, in order."""
    seen = []
    monkeypatch.setattr(hashes, "hash_file", lambda path: (seen.append(path.name), hash_file(path))[1])
    return seen


@pytest.fixture
def file(tmp_path, later):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")
    known = Hashes(tmp_path / "memory.json")
    known(path)
    known.save()
    return path


def again(file):
    return Hashes(file.parent / "memory.json")


def test_what_nobody_touched_is_not_read_again(file, read):
    assert again(file)(file) == hash_file(file)
    assert read == []


def written(file):
    file.write_bytes(b"other")


def written_in_place(file):
    with file.open("r+b") as stream:
        stream.write(b"other")


def replaced(file):
    other = file.with_name("b.bin")
    other.write_bytes(b"other")
    shutil.copystat(file, other)
    other.replace(file)


def longer(file):
    file.write_bytes(b"longer than before")


@pytest.mark.parametrize("change", [written, written_in_place, replaced, longer])
@pytest.mark.parametrize("time_is_set_back", [False, True])
def test_a_changed_file_is_read_again_even_when_its_time_is_set_back(file, read, change, time_is_set_back):
    status = file.stat()
    change(file)
    if time_is_set_back:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert again(file)(file) == hash_file(file)
    assert read == ["a.bin"]


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path, read):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")
    for _ in range(2):
        known = Hashes(tmp_path / "memory.json")
        known(path)
        known.save()
    assert read == ["a.bin", "a.bin"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [["x"], 2]}', b"\xff"])
def test_a_damaged_memory_counts_as_empty(file, read, content):
    (file.parent / "memory.json").write_bytes(content)
    assert again(file)(file) == hash_file(file)
    assert read == ["a.bin"]


def test_what_was_not_asked_for_is_forgotten_and_a_place_that_cannot_be_written_is_no_error(file, tmp_path):
    other = tmp_path / "b.bin"
    other.write_bytes(b"x")
    known = again(file)
    known(other)
    known.save()
    assert "a.bin" not in (tmp_path / "memory.json").read_text("utf-8")
    closed = Hashes(file / "memory.json")
    closed(other)
    closed.save()


@pytest.mark.parametrize(("set_to", "where"), [("/somewhere", "/somewhere/hubadapt"), ("", "~/.cache/hubadapt")])
def test_the_users_cache_is_where_the_system_has_it(monkeypatch, set_to, where):
    monkeypatch.setenv("XDG_CACHE_HOME", set_to)
    assert cache_folder() == Path(where).expanduser()


def test_each_folder_has_a_memory_of_its_own(tmp_path, later, monkeypatch):
    monkeypatch.setattr(hashes, "cache_folder", lambda: tmp_path / "cache")
    for name in ("one", "two", "one"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "x").write_bytes(b"x")
        with remembered(tmp_path / name) as hash_of:
            hash_of(tmp_path / name / "x")
    assert len(list((tmp_path / "cache" / "hashes").glob("*.json"))) == 2
