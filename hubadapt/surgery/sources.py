"""Brings what a user names as a model to a folder: a folder, a Hub id or a GGUF file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hubadapt.checkpoint import from_gguf
from hubadapt.hub.fetch import local_folder, resolve


@contextmanager
def model_folder(text: str, scratch: Path) -> Iterator[Path]:
    """The folder of a model, for as long as the block runs.

    Args:
        text: A folder, a Hub id (`owner/name` or `owner/name@revision`) or a GGUF file.
        scratch: Folder in which a GGUF file is unpacked and removed again; made where it does not exist.

    Raises:
        ModelError: There is no such model, or it is damaged.
        HubError: The download failed.
        MissingExtraError: It is a GGUF file, and the package gguf is not installed.
    """
    folder = Path(text).expanduser()
    if folder.is_dir():
        # Pinning it as `resolve` does would read all of it.
        yield folder
        return
    path = Path(text).expanduser()
    if path.is_dir():  # Pinning it by its hash, as a run does, would read all of it.
        yield path
        return
    if path.suffix != ".gguf":
        yield local_folder(resolve(text, Path.cwd()).ref, Path.cwd())
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".gguf-", dir=scratch) as name:
        from_gguf(path, Path(name) / "model")
        yield Path(name) / "model"
