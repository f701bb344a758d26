"""What a commit does to the files of a repository, as pure data: nothing here touches git or the disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from hubadapt.localhub.refusals import Refusal


@dataclass(frozen=True)
class Change:
    """One line of a commit: put a git blob at a path, or delete a file, a folder, or whichever of them is there.

    `is_lfs` says that the blob is a pointer to a big file.
    """

    action: Literal["put", "delete", "delete folder", "delete either"]
    path: str
    oid: str = ""
    is_lfs: bool = False


def apply(files: Mapping[str, str], changes: Iterable[Change]) -> dict[str, str]:
    """Apply changes in order to a mapping from path to git blob.

    Raises:
        Refusal: A file to delete is not there (404), or a path would be file and folder at once (400).
    """
    result = dict(files)
    for change in changes:
        if change.action == "put":
            result[change.path] = change.oid
        elif change.action == "delete" or (change.action == "delete either" and change.path in result):
            if result.pop(change.path, None) is None:
                raise Refusal(404, f"A file with this name doesn't exist: {change.path}", "EntryNotFound")
        else:
            _delete_folder(result, change.path)
    _check_folders(result)
    return result


def _delete_folder(files: dict[str, str], folder: str) -> None:
    inside = [path for path in files if path.startswith(folder.rstrip("/") + "/")]
    if not inside:
        raise Refusal(404, f"A folder with this name doesn't exist: {folder}", "EntryNotFound")
    for path in inside:
        del files[path]


def _check_folders(files: Mapping[str, str]) -> None:
    for path in files:
        parts = path.split("/")
        for count in range(1, len(parts)):
            if (folder := "/".join(parts[:count])) in files:
                raise Refusal(400, f"{folder} cannot be a file and the folder of {path} at once")
