"""Which files go to git and which to the blob store: `.gitattributes`, size and content decide."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from dulwich.attrs import GitAttributes, Pattern, parse_git_attributes
from dulwich.ignore import IgnoreFilter, read_ignore_patterns

BIG = 10 * 1024 * 1024
"""Above this size in bytes a file never goes into git itself."""

_LFS = "filter=lfs diff=lfs merge=lfs -text"
_BINARY_SUFFIXES = (  # noqa: SIM905 (41 quoted words would be harder to read)
    "7z arrow avi bin bz2 ckpt flac ftz gguf gz h5 joblib jsonl.zst lz4 mlmodel model mp3 mp4 msgpack npy npz ogg onnx "
    "ot parquet pb pdf pickle pkl pt pth rar safetensors tar tflite tgz wasm wav webm xz zip zst"
).split()

DEFAULT = "".join(f"*.{suffix} {_LFS}\n" for suffix in _BINARY_SUFFIXES) + f"*tfevents* {_LFS}\n"
"""The `.gitattributes` every repository is born with."""


class Attributes:
    """The rules of one `.gitattributes` file.

    Args:
        text: Its content; lines that git would not understand are skipped.
    """

    def __init__(self, text: bytes) -> None:
        rules = []
        for line in text.splitlines():
            try:
                rules += [(Pattern(pattern), values) for pattern, values in parse_git_attributes(io.BytesIO(line))]
            except ValueError:
                continue
        self._rules = GitAttributes(rules)

    def is_lfs(self, path: str) -> bool:
        """Whether the rules send a path to the blob store."""
        return bool(self._rules.match_path(path.encode()).get(b"filter") == b"lfs")


def goes_to_lfs(path: str, size: int, sample: str, attributes: Attributes) -> bool:
    """Decide for one file, from its path, its size and a base64 sample of its first bytes."""
    if size == 0:
        return False
    if size > BIG or attributes.is_lfs(path):
        return True
    return path.lower().endswith(tuple(f".{suffix}" for suffix in _BINARY_SUFFIXES)) and _is_binary(sample)


def with_lfs_paths(text: bytes, paths: Iterable[str]) -> bytes:
    """Add a line for each path that no rule sends to the blob store, so that a git checkout treats it rightly."""
    attributes = Attributes(text)
    missing = [path for path in paths if not attributes.is_lfs(path)]
    if not missing:
        return text
    start = text if not text or text.endswith(b"\n") else text + b"\n"
    return start + "".join(f"{_escape(path)} {_LFS}\n" for path in missing).encode()


class Ignored:
    """The rules of one `.gitignore` file.

    Args:
        text: Its content.
    """

    def __init__(self, text: bytes) -> None:
        self._rules = IgnoreFilter(read_ignore_patterns(io.BytesIO(text)))

    def covers(self, path: str) -> bool:
        """Whether the rules leave a path out, itself or by one of its folders."""
        parts = path.split("/")
        prefixes = ["/".join(parts[: count + 1]) + "/" for count in range(len(parts) - 1)]
        return any(self._rules.is_ignored(prefix.encode()) for prefix in [*prefixes, path])


def _is_binary(sample: str) -> bool:
    try:
        return b"\0" in base64.b64decode(sample)
    except ValueError:
        return False


def _escape(path: str) -> str:
    # A path is turned into a pattern that matches it alone; the leading slash ties it to the top of the repository.
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
    return "/" + escaped.replace(" ", "[[:space:]]")
