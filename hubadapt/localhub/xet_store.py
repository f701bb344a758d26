"""What Xet clients upload, on disk, and the files put together from it.

A client sends xorbs, then a shard that says how files are made of their chunks. The files are put together at once
into the blob store, under their sha256, which is checked: from then on they are big files like any other, and any
client downloads them by plain HTTP.

Xorbs are kept for good, so that such a file takes its space twice: clients remember for weeks which chunks they have
sent, and later shards refer to them. Xet's own hashes (keyed BLAKE3) are not checked, which pure Python could not do
in useful time: the sha256 of every finished file is, so that a wrong xorb can spoil no file.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from pathlib import Path

from hubadapt.localhub.addresses import require_hash
from hubadapt.localhub.blobs import BlobStore, Incoming
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.xet_format import CHUNK_HEADER, Chunk, FileRecipe, FormatError, Term, chunk_at, unpack

_INDEXES_KEPT = 256


class XetStore:
    """The xorbs and shards of a data folder.

    Args:
        root: Their folder.
        incoming: Folder for uploads under way, on the same file system.
        blobs: Where finished files go.
    """

    def __init__(self, root: Path, incoming: Path, blobs: BlobStore) -> None:
        self._root = root
        self._incoming = incoming
        self._blobs = blobs
        self._indexes: OrderedDict[str, tuple[Chunk, ...]] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def incoming(self) -> Incoming:
        """Begin to receive a xorb or shard."""
        return Incoming(self._incoming)

    def has_xorb(self, xorb: str) -> bool:
        """Whether a xorb is held."""
        return self._xorb_path(xorb).exists()

    def keep_xorb(self, xorb: str, received: Incoming) -> bool:
        """Keep a xorb that was received; returns whether it is new.

        Raises:
            Refusal: It is damaged or cut short.
        """
        received.flush()
        try:
            read_index(received.path)
        except FormatError as error:
            raise Refusal(400, f"Xorb {xorb}: {error}") from error
        target = self._xorb_path(xorb)
        if target.exists():
            return False
        received.keep(target)
        return True

    def keep_shard(self, body: bytes, files: list[FileRecipe]) -> None:
        """Put together the files of a shard, then keep the shard.

        Raises:
            Refusal: It names absent xorbs, or a file does not come out with its sha256.
        """
        for file in files:
            for term in file.terms:
                if not self.has_xorb(term.xorb):
                    raise Refusal(400, f"The shard names the xorb {term.xorb}, which is not held")
        for file in files:
            self._build(file)
        with self.incoming() as received:
            received.write(body)
            received.keep(self._root / "shards" / hashlib.sha256(body).hexdigest())

    def xet_hash(self, sha256: str) -> str | None:
        """The Xet hash of a file that came by Xet, or None."""
        path = self._table_path(sha256)
        return path.read_text(encoding="ascii") if path.exists() else None

    def _build(self, file: FileRecipe) -> None:
        with self._lock:
            lock = self._building[file.xet_hash]
        # A client that gave up waiting asks again: the second request then waits for the first and finds its result.
        with lock:
            sha256 = file.sha256
            if sha256 is None or self._blobs.size(sha256) is None:
                sha256 = self._assemble(file)
        with self.incoming() as received:
            received.write(file.xet_hash.encode())
            received.keep(self._table_path(sha256))

    def _assemble(self, file: FileRecipe) -> str:
        if file.size > shutil.disk_usage(self._root).free:
            raise Refusal(507, f"The disk has no room for a file of {file.size} bytes")
        with self._blobs.incoming() as received:
            try:
                for term in file.terms:
                    for piece in self._pieces(term):
                        received.write(piece)
            except FormatError as error:
                raise Refusal(400, f"File {file.xet_hash}: {error}") from error
            sha256 = file.sha256 or received.sha256
            self._blobs.keep(received, sha256, file.size)
        return sha256

    def _pieces(self, term: Term) -> Iterator[bytes]:
        chunks = self._index(term.xorb)[term.start : term.end]
        if len(chunks) != term.end - term.start or sum(chunk.size for chunk in chunks) != term.size:
            raise FormatError(f"a term does not fit the xorb {term.xorb}")
        with self._xorb_path(term.xorb).open("rb") as xorb:
            xorb.seek(chunks[0].offset)
            for chunk in chunks:
                yield unpack(chunk, xorb.read(chunk.packed_size))
                xorb.seek(CHUNK_HEADER, 1)

    def _index(self, xorb: str) -> tuple[Chunk, ...]:
        with self._lock:
            if xorb in self._indexes:
                self._indexes.move_to_end(xorb)
                return self._indexes[xorb]
        index = read_index(self._xorb_path(xorb))
        with self._lock:
            self._indexes[xorb] = index
            if len(self._indexes) > _INDEXES_KEPT:
                self._indexes.popitem(last=False)
        return index

    def _xorb_path(self, xorb: str) -> Path:
        return self._root / "xorbs" / require_hash(xorb)[:2] / xorb

    def _table_path(self, sha256: str) -> Path:
        return self._root / "files" / require_hash(sha256)[:2] / sha256


def read_index(path: Path) -> tuple[Chunk, ...]:
    """Where the chunks of a xorb file lie.

    Raises:
        FormatError: The file is no xorb, or ends inside a chunk.
    """
    chunks = []
    length = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while (chunk := chunk_at(file.read(CHUNK_HEADER), offset)) is not None:
            offset = chunk.offset + chunk.packed_size
            if offset > length:
                raise FormatError("the xorb ends inside a chunk")
            chunks.append(chunk)
            file.seek(offset)
    if not chunks:
        raise FormatError("the xorb is empty")
    return tuple(chunks)
