"""Everything one data folder holds, opened together."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from hubadapt.errors import HubError
from hubadapt.localhub.accounts import Accounts, ensure_accounts
from hubadapt.localhub.blobs import BlobStore
from hubadapt.localhub.collections import CollectionStore
from hubadapt.localhub.shelf import Shelf
from hubadapt.localhub.xet_store import XetStore

# What a start that was killed early, or the server's own lock, may have left in a folder without accounts.
_MAY_PRECEDE = frozenset({"lock", "token", "token.part", "accounts.json.part"})


def require_data_folder(data: Path) -> None:
    """Check that a folder is a Hub's, or new: opening it deletes leftovers, which must never be anybody's files.

    Raises:
        HubError: It holds something else.
    """
    if data.exists() and not data.is_dir():
        raise HubError(f"{data} is not a folder.", "Name another with --data.")
    if data.is_dir() and not (data / "accounts.json").exists():
        others = sorted(path.name for path in data.iterdir() if path.name not in _MAY_PRECEDE)
        if others:
            raise HubError(f"{data} holds {others[0]} and is no data folder of a Hub.", "Name an empty or new folder.")


class Hub:
    """The parts of an embedded Hub.

    Only one `Hub` may stand for a data folder at a time: opening one clears what an earlier one left half done.

    Args:
        data: The data folder; made if missing.
        user: Name of the user to make at first start.
    """

    def __init__(self, data: Path, user: str = "local") -> None:
        require_data_folder(data)
        ensure_accounts(data, user)
        incoming = data / "incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        for folder in (incoming, data / "xet", data / "blobs", data / "collections"):
            folder.mkdir(parents=True, exist_ok=True)
        self.blobs = BlobStore(data / "blobs", incoming)
        self.shelf = Shelf(data / "repos", incoming)
        self.shelf.remove_stale_locks()
        self.xet = XetStore(data / "xet", incoming, self.blobs)
        self.collections = CollectionStore(data / "collections")
        self._data = data
        self._accounts: tuple[int, Accounts] | None = None
        self._lock = threading.Lock()

    @property
    def accounts(self) -> Accounts:
        """The accounts as they are on disk now, so that a token issued meanwhile counts at once."""
        changed = (self._data / "accounts.json").stat().st_mtime_ns
        with self._lock:
            if self._accounts is None or self._accounts[0] != changed:
                self._accounts = (changed, ensure_accounts(self._data))
            return self._accounts[1]
