"""Bytes go from file to file, whatever of it the system can do itself."""

from __future__ import annotations

import errno
import os

import pytest

from hubadapt.checkpoint import transfer
from hubadapt.checkpoint.transfer import copy_file, copy_range, hard_link, reflink, require_linkable
from hubadapt.errors import UserError

DATA = bytes(range(256)) * 40


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def unsupported(*arguments: object, **options: object) -> int:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.fixture(params=["as it is", "refused", "empty", "absent"])
def system(request, monkeypatch):
    """The system's own copying as it is, refused between these files, without result, or not there."""
    monkeypatch.setattr(transfer, "_STEP", 1000)
    if request.param == "refused":
        monkeypatch.setattr(os, "copy_file_range", unsupported, raising=False)
    elif request.param == "empty":
        monkeypatch.setattr(os, "copy_file_range", lambda *_, **__: 0, raising=False)
    elif request.param == "absent":
        monkeypatch.delattr(os, "copy_file_range", raising=False)


@pytest.mark.usefixtures("system")
def test_a_range_is_appended_byte_for_byte(source, tmp_path):
    seen: list[int] = []
    with source.open("rb", buffering=0) as reader, (tmp_path / "target").open("xb", buffering=0) as writer:
        writer.write(b"head")
        copy_range(reader, writer, 100, 5000, seen.append)
        copy_range(reader, writer, 0, 7, seen.append)
    assert (tmp_path / "target").read_bytes() == b"head" + DATA[100:5100] + DATA[:7]
    assert sum(seen) == 5007 and max(seen) <= 1000


@pytest.mark.usefixtures("system")
def test_a_file_that_ends_early_is_noticed(source, tmp_path):
    with (
        source.open("rb", buffering=0) as reader,
        (tmp_path / "target").open("xb", buffering=0) as writer,
        pytest.raises(EOFError, match="ended at byte 10,240"),
    ):
        copy_range(reader, writer, 10_000, 1000, lambda _: None)


@pytest.mark.usefixtures("system")
def test_a_file_is_copied_through_links(source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    copy_file(tmp_path / "link", tmp_path / "target", lambda _: None)
    assert (tmp_path / "target").read_bytes() == DATA
    assert not (tmp_path / "target").is_symlink()


def test_other_failures_are_not_taken_for_what_a_system_cannot_do(source, tmp_path, monkeypatch):
    def broken(*arguments: object, **options: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "copy_file_range", broken, raising=False)
    with pytest.raises(OSError, match="Input/output"):
        copy_file(source, tmp_path / "target", lambda _: None)


def test_a_reflink_is_whole_or_leaves_nothing(source, tmp_path):
    target = tmp_path / "target"
    if reflink(source, target):
        assert target.read_bytes() == DATA
        source.write_bytes(b"changed")
        assert target.read_bytes() == DATA
    else:
        assert not target.exists()


def test_files_of_a_hub_cache_and_symbolic_links_cannot_be_linked(source, tmp_path):
    require_linkable(source)
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(UserError, match="is a symbolic link"):
        require_linkable(tmp_path / "link")
    for inside in ("blobs", "snapshots"):
        folder = tmp_path / "models--a--b" / inside
        folder.mkdir(parents=True)
        (folder / "file").touch()
        (tmp_path / f"to-{inside}").symlink_to(folder)
        for path in (folder / "file", tmp_path / f"to-{inside}" / "file"):
            with pytest.raises(UserError, match="lies in a Hub cache"):
                require_linkable(path)


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EXDEV, "is on another disk than"), (errno.EPERM, "cannot be hard-linked: ")]
)
def test_links_that_cannot_be_are_explained(source, tmp_path, monkeypatch, number, said):
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UserError, match=said) as error:
        hard_link(source, tmp_path / "target")
    assert error.value.hint == "Copy the files instead of linking them."
