"""Requests that no honest client sends, as hypothesis strategies, and the way to send them to a Hub over a socket.

A Hub under fire holds an open repository, a private one whose content is `SECRET`, and beside its data folder a file
that holds `CANARY`. `Target.faults`
says what is wrong with a reply: a status of 500, none at all to a whole request, the canary or a token in it, or the
secret where the sender had no right to it.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from huggingface_hub import CommitOperationAdd, HfApi
from hypothesis import strategies as st

from hubadapt.localhub import tickets
from hubadapt.localhub.accounts import ensure_accounts, new_token, write_token

SECRET = b"the-private-repository-says-this"
CANARY = b"this-lies-beside-the-data-folder"
OPEN, PRIVATE = "local/open", "local/private"

_HASH = hashlib.sha256(SECRET).hexdigest()
_HASHES = st.sampled_from(
    [_HASH, "0" * 64, "f" * 64, "F" * 64, "g" * 64, "0" * 63, "../" * 21 + "a", "", _HASH + "/.."]
)
_WEIRD = st.one_of(
    st.sampled_from(
        [
            "..", ".", "", "../..", "../../../../canary", "../canary", "..%2f..", "%2e%2e", "a\0b", "\0", "a\\..\\b",
            ".git", ".git/config", ".GIT/hooks/x", "git", "settings.json", "HEAD", "refs/heads/main", "refs/../../x",
            "refs/pr/1", "refs/pr/../../x", "a//b", "/etc/passwd", "C:\\x", "~root", "-rf", "--help", "a" * 300,
            "a/" * 200, "é" * 90, "\u202e", "\ud800", "🙂", "a b", "a?b", "a#b", "a;b", "*", "[", "{0}", "%", "%zz",
            "main.lock", "main/", "@{0}", "main~1", "main^", "main:.gitattributes", "0" * 40, "0" * 7, "None", "null",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
_REPOSITORIES = st.sampled_from([OPEN] * 6 + [PRIVATE] * 4 + ["local/absent", "local/open.git", "open/local"])
_REVISIONS = st.one_of(st.sampled_from(["main", "main", "HEAD", "refs/pr/1", "stage/one"]), _WEIRD)
_PATHS = st.one_of(st.sampled_from(["a.txt", "big.bin", "folder/a.txt", ".gitattributes"]), _WEIRD)
_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6), _WEIRD, _HASHES
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@dataclass(frozen=True)
class Shot:
    """One request: what is sent, to whom it pretends to belong, and how its body travels.

    `travel` is "whole", "short" (the body ends before its announced length), "long" (it goes on after it), "chunked",
    "broken chunks" or "stalled" (the rest of the body never comes).
    """

    method: str
    path: str
    who: str
    body: bytes
    travel: str
    headers: tuple[tuple[str, str], ...] = ()


_ADDRESSES = (
    "{api}", "{api}/revision/{revision}", "{api}/tree/{revision}/{path}", "{api}/paths-info/{revision}",
    "{api}/preupload/{revision}", "{api}/commit/{revision}", "{api}/commit/{revision}?create_pr=1",
    "{api}/commits/{revision}", "{api}/refs", "{api}/branch/{revision}", "{api}/tag/{revision}", "{api}/settings",
    "{api}/xet-write-token/{revision}", "{api}/xet-read-token/{revision}", "{api}/auth-check", "{api}?expand={slug}",
    "{api}/discussions", "{api}/discussions/{number}", "{api}/discussions/{number}/comment",
    "{api}/discussions/{number}/status", "{api}/discussions/{number}/title", "{api}/discussions/{number}/merge",
    "{api}/discussions/{number}/comment/{slug}/edit", "{api}/compare/{revision}..{revision}",
    "{api}/super-squash/{revision}", "{api}/tree/{revision}?recursive=true&expand=true&limit={number}&cursor={slug}",
    "{file}/resolve/{revision}/{path}", "{file}/raw/{revision}/{path}", "{file}/blob/{revision}/{path}",
    "{file}/tree/{revision}", "{file}", "{file}.git/info/lfs/objects/batch", "{file}/objects/{path}", "{file}/HEAD",
    "{file}/info/refs?service=git-upload-pack", "{file}.git/info/refs?service=git-receive-pack",
    "{file}/git-upload-pack", "{file}.git/git-receive-pack", "{file}/info/refs?service={slug}",
    "/lfs/{sha}?ticket={slug}", "/lfs/verify/{sha}", "/xet/{slug}/v1/xorbs/default/{sha}", "/xet/{slug}/v1/shards",
    "/xet/{slug}/v1/chunks/default/{sha}", "/api/repos/create", "/api/repos/delete", "/api/repos/move",
    "/api/collections", "/api/collections/local/{slug}", "/api/collections/{slug}/{slug}/items/{slug}",
    "/api/models?author={slug}&filter={slug}&sort={slug}&limit={number}&skip={number}", "/api/validate-yaml",
    "/api/whoami-v2", "/health", "/", "/{path}", "/{slug}/{path}", "/api/{path}",
)  # fmt: skip


@st.composite
def _addresses(draw, templates=_ADDRESSES) -> str:
    template = draw(st.sampled_from(templates))
    kind = draw(st.sampled_from(["models"] * 8 + ["datasets", "spaces", "kernels", ".."]))
    weird = st.builds("{}/{}".format, _WEIRD, _WEIRD).map(_segment)
    repository = draw(st.one_of(_REPOSITORIES, _REPOSITORIES, _REPOSITORIES, weird))
    found = {
        "api": f"/api/{kind}/{repository}",
        "file": f"/{repository}" if kind == "models" else f"/{kind}/{repository}",
    }
    for name, values in _SLOTS.items():
        if "{" + name + "}" in template:
            found[name] = draw(values)
    return template.format_map(found)


def _segment(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _loose(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="/.:~*")


_SLOTS = {
    "revision": _REVISIONS.map(_segment),
    "path": st.one_of(_PATHS.map(_segment), _PATHS.map(_loose)),
    "sha": _HASHES.map(_segment),
    "slug": _WEIRD.map(_segment),
    "number": st.sampled_from(["1", "2", "0", "-1", "9" * 20, "x", "..", "%00"]),
}


@st.composite
def _objects(draw) -> bytes:
    """JSON objects with the keys that some route reads, and values of any kind."""
    keys = [
        "files", "path", "paths", "size", "sample", "gitAttributes", "gitIgnore", "name", "organization", "type",
        "private", "visibility", "sdk", "gated", "startingPoint", "overwrite", "emptyBranch", "tag", "message", "title",
        "description", "pullRequest", "comment", "status", "content", "operation", "objects", "oid", "item", "id",
        "note", "position", "namespace", "expand", "ref", "hash_algo", "transfers",
    ]  # fmt: skip
    content = draw(st.dictionaries(st.sampled_from(keys), _JSON, max_size=6))
    if draw(st.booleans()):
        item = {"oid": draw(_HASHES), "size": draw(st.sampled_from([0, 1, len(SECRET), -1, 2**70, "1", None]))}
        content |= {"operation": draw(st.sampled_from(["upload", "download", "x"])), "objects": [item]}
        content |= {"files": [{"path": draw(_PATHS), "size": item["size"], "sample": draw(st.text(max_size=5))}]}
    return json.dumps(content).encode()


@st.composite
def _commits(draw) -> bytes:
    """NDJSON as commits are, with lines that are broken, of the wrong shape, or name what they must not."""
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        value: dict[str, object] = {"path": draw(_PATHS)}
        key = draw(st.sampled_from(["header", "file", "file", "lfsFile", "deletedFile", "deletedFolder", "x"]))
        if key == "header":
            value = {"summary": draw(_JSON), "description": draw(_JSON), "parentCommit": draw(_JSON)}
        elif key == "file":
            encoding = draw(st.sampled_from(["base64", "utf-8", "latin-9", 7]))
            value |= {"content": draw(st.sampled_from(["eA==", "eA=", "é", "\ud800", 5, None])), "encoding": encoding}
        elif key == "lfsFile":
            value |= {"oid": draw(_HASHES), "size": draw(st.sampled_from([1, len(SECRET), -1, "x"])), "algo": "sha256"}
        line = json.dumps({"key": key, "value": draw(st.sampled_from([value, value, value, None, [], "x"]))}).encode()
        lines.append(draw(st.sampled_from([line, line, line, line, line[:-2], b"\xff\xfe", b"[]", b"[" * 5000, b"1"])))
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n", b"\r\n"]))


@st.composite
def _xorbs(draw) -> bytes:
    chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=3))
    whole = b"".join(
        bytes([0]) + len(chunk).to_bytes(3, "little") + bytes([draw(st.sampled_from([0, 0, 1, 2, 3]))])
        + len(chunk).to_bytes(3, "little") + chunk
        for chunk in chunks
    )  # fmt: skip
    return _damaged(draw, whole + draw(st.sampled_from([b"", b"XETBLOB" + bytes(40)])))


@st.composite
def _shards(draw) -> bytes:
    head = b"HFRepoMetaData".ljust(32, b"\0") + struct.pack("<QQ", draw(st.sampled_from([2, 2, 2, 1])), 0)
    count = draw(st.sampled_from([0, 1, 2, 2**32 - 1]))
    block = bytes(32) + struct.pack("<IIQ", draw(st.sampled_from([0, 1 << 30, 3 << 30])), count, 0)
    terms = b"\xaa" * 32 + struct.pack("<IIII", 0, draw(st.sampled_from([1, 2**32 - 1])), 0, 1)
    return _damaged(draw, head + block + terms + bytes(48) + b"\xff" * 32 + bytes(16))


def _damaged(draw, whole: bytes) -> bytes:
    if draw(st.booleans()):
        return whole
    end = draw(st.integers(0, len(whole)))
    return whole[:end] + draw(st.binary(max_size=4)) + whole[end + draw(st.integers(0, 4)) :]


_PACKS = st.sampled_from(
    [
        b"0000", b"", b"00", b"zzzz", b"0032want " + b"0" * 40 + b"\n00000009done\n", b"ffff" + b"x" * 30,
        b"0032want " + b"f" * 40 + b"\n00000009done\n", b"0009done\n", b"0014command=ls-refs\n0000",
        b"0067" + b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/../x\0\n0000PACK",
        b"006e" + b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/x\0report-status\n0000PACK" + bytes(20),
    ]
)  # fmt: skip
_BODIES = st.one_of(_objects(), _objects(), _commits(), _commits(), _xorbs(), _shards(), _PACKS, st.binary(max_size=40))
_HEADERS = st.lists(
    st.sampled_from(
        [
            ("Range", "bytes=0-0"), ("Range", "bytes=9-1"), ("Range", "bytes=-0"), ("Range", "bytes=" + "9" * 18 + "-"),
            ("Range", "bytes=0-1,3-4"), ("If-None-Match", "*"), ("If-Range", '"x"'), ("Content-Encoding", "gzip"),
            ("Content-Type", "application/json"), ("Content-Type", "application/x-ndjson"),
            ("Git-Protocol", "version=2"),
            ("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-Host", "evil.example"),
            ("Content-Type", "application/x-git-upload-pack-request"), ("Expect", "100-continue"),
        ]
    ),
    max_size=2,
).map(tuple)  # fmt: skip
_TRAVELS = st.sampled_from(["whole"] * 12 + ["short", "long", "chunked", "broken chunks", "stalled"])
_METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "TRACE"])
_SENDERS = st.sampled_from(["nobody", "nobody", "stranger", "reader", "writer", "writer"])


@st.composite
def _mixed(draw) -> Shot:
    return Shot(draw(_METHODS), draw(_addresses()), draw(_SENDERS), draw(_BODIES), draw(_TRAVELS), draw(_HEADERS))


_CARDS = st.sampled_from(
    ["", "---\na: 1\n---\n", "---\n&a [*a]\n---\n", "---\n" + "[" * 3000 + "\n---\n", "---\n!!python/x"]
)
# Addresses with the bodies that belong to them: such requests get further in.
_AIMED = (
    ("POST", "{api}/commit/{revision}", _commits()),
    ("POST", "{api}/commit/main", _commits()),
    ("POST", "{api}/commit/main?create_pr=1", _commits()),
    ("POST", "{api}/preupload/{revision}", _objects()),
    ("POST", "{file}.git/info/lfs/objects/batch", _objects()),
    ("POST", "{api}/discussions", _objects()),
    ("POST", "{api}/discussions/{number}/status", _objects()),
    ("POST", "{api}/branch/{revision}", _objects()),
    ("POST", "{api}/tag/{revision}", _objects()),
    ("POST", "{file}.git/git-upload-pack", _PACKS),
    ("POST", "{file}.git/git-receive-pack", _PACKS),
    ("POST", "/xet/m/v1/xorbs/default/{sha}", _xorbs()),
    ("POST", "/xet/m/v1/shards", _shards()),
    ("PUT", "/lfs/{sha}?ticket={slug}", st.binary(max_size=40)),
    ("POST", "/api/repos/create", _objects()),
    ("POST", "/api/collections", _objects()),
    ("POST", "/api/validate-yaml", _CARDS.map(lambda card: json.dumps({"content": card}).encode())),
    ("GET", "{file}/resolve/{revision}/{path}", st.just(b"")),
)


@st.composite
def _aimed(draw) -> Shot:
    method, template, bodies = draw(st.sampled_from(_AIMED))
    return Shot(
        method,
        draw(_addresses((template,))),
        draw(st.sampled_from(["writer", "writer", "writer", "reader", "stranger"])),
        draw(bodies),
        draw(_TRAVELS),
        draw(_HEADERS),
    )


SHOTS = st.one_of(_mixed(), _aimed(), _aimed())


@dataclass
class Target:
    """A Hub to fire at: its endpoint, the Authorization header of each sender, and what must never be shown."""

    endpoint: str
    authorization: dict[str, str]
    xet: str
    hidden: tuple[bytes, ...]

    def fire(self, shot: Shot) -> bytes:
        """Send a request on a connection of its own; returns all that came back, head and body."""
        address = urlsplit(self.endpoint)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            try:
                connection.sendall(self._request(shot, address.netloc))
                if shot.travel == "stalled":
                    return b""
                if shot.travel != "whole":
                    connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            except ConnectionError:
                return b""
        return answer.partition(b"\r\n\r\n")[2] if answer.startswith(b"HTTP/1.1 100") else answer

    def _request(self, shot: Shot, host: str) -> bytes:
        lines = [f"{shot.method} {shot.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        who = self.xet if shot.path.startswith("/xet/") and shot.who == "writer" else self.authorization.get(shot.who)
        lines += [f"Authorization: {who}"] if who else []
        lines += [f"{name}: {value}" for name, value in shot.headers]
        body, length = shot.body, len(shot.body)
        if shot.travel in ("chunked", "broken chunks"):
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n" % (length, body) if length else b""
            body += b"0\r\n\r\n" if shot.travel == "chunked" else b"zz\r\n"
        else:
            lines.append(f"Content-Length: {max(0, length + _MISSING.get(shot.travel, 0))}")
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body

    def faults(self, shot: Shot, answer: bytes) -> list[str]:
        """What is wrong with the answer to a request; nothing where the Hub held."""
        found = []
        status = int(answer[9:12]) if answer[:5] == b"HTTP/" else 0
        if status >= 500 and status != 501:
            found.append(f"status {status}")
        if status == 0 and shot.travel == "whole":
            found.append("no reply")
        if any(text in answer for text in self.hidden):
            found.append("it shows what no request may see")
        if shot.who in ("nobody", "stranger") and (SECRET in answer or f"/lfs/{_HASH}?ticket".encode() in answer):
            found.append("it shows a private repository to a stranger")
        return found


_MISSING = {"short": 10, "stalled": 10, "long": -5}


def besiege(endpoint: str, data: Path) -> Target:
    """Fill a fresh Hub with what the requests aim at, and lay the canary beside its data folder."""
    (data.parent / "canary").write_bytes(CANARY)
    token, reader = write_token(data), new_token(data, "read")
    api = HfApi(endpoint=endpoint, token=token)
    for name in (OPEN, PRIVATE):
        api.create_repo(name, private=name == PRIVATE)
        paths = ("a.txt", "folder/a.txt", "big.bin") if name == PRIVATE else ("a.txt",)
        # An upload from a file object goes by git-lfs where it is a big file.
        adds = [CommitOperationAdd(path, io.BytesIO(SECRET if name == PRIVATE else b"open")) for path in paths]
        api.create_commit(name, adds, commit_message="Content")
    ticket, _ = tickets.issue(ensure_accounts(data).secret, "xet write")
    headers = {"reader": f"Bearer {reader}", "writer": f"Bearer {token}", "stranger": "Bearer hf_unknown"}
    secret = json.loads((data / "accounts.json").read_text("utf-8"))["secret"]
    hidden = (CANARY, token.encode(), reader.encode(), secret.encode())
    return Target(endpoint, headers, f"Bearer {ticket}", hidden)
