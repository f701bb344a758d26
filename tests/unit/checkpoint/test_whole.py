"""A folder appears whole or not at all."""

from __future__ import annotations

import errno

import pytest

from hubadapt.checkpoint.whole import require_empty, whole_folder
from hubadapt.errors import UserError


def test_a_folder_that_holds_something_is_not_written_into(tmp_path):
    for good in (tmp_path / "none", tmp_path):
        require_empty(good)
    (tmp_path / "file").touch()
    for bad in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match="exists and is not empty"):
            require_empty(bad)


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / ".new.partial").mkdir()
    (tmp_path / ".new.partial" / "half").touch()
    with whole_folder(tmp_path / "new") as folder:
        (folder / "file").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["new", "new/file"]


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(errno.EIO, "broken")], ids=repr)
def test_a_failure_leaves_what_was_there(tmp_path, error):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "old").touch()
    with pytest.raises(type(error)), whole_folder(tmp_path / "new") as folder:
        (folder / "file").touch()
        raise error
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "old"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="the disk is full"), whole_folder(tmp_path / "new"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
