"""Folders that appear whole or not at all, and the room they need."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubadapt.errors import UserError

_RESERVE = 64_000_000  # for what comes beside the weights: tokenizer files, reports
_FULL = (errno.ENOSPC, errno.EDQUOT)


def require_empty(folder: Path) -> None:
    """Stop where something lies already in the folder that is to be written.

    Raises:
        UserError: It exists and is not an empty folder.
    """
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise UserError(f"{folder} exists and is not empty.", "Name another folder, or delete this one first.")


def require_space(folder: Path, needed: int) -> None:
    """Stop before work whose result would not fit on the disk.

    Args:
        folder: The folder to be written; it need not exist.
        needed: Bytes of its weights.

    Raises:
        UserError: Less is free than that and a reserve for smaller files.
    """
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < needed + _RESERVE:
        raise UserError(
            f"writing {folder} needs {_gigabytes(needed + _RESERVE)}, but {_gigabytes(free)} are free on its disk.",
            "Free some space, or name a folder on another disk.",
        )


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside `target` that takes its place when the block ends, and goes if the block fails.

    What an earlier run left of it after a crash is removed first.

    Args:
        target: Folder to make; replaced if it exists.

    Raises:
        UserError: The disk was full.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _flush(partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
        _flush(target.parent)
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(
                f"the disk is full: {target} could not be written.", "Free some space, or name a folder elsewhere."
            ) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(folder: Path) -> None:
    if os.name == "posix":  # Elsewhere folders cannot be opened.
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.2f} GB"
