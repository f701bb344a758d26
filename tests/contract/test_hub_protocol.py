"""What the server answers to requests that well-behaved clients do not send, or send only in trouble."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from xet_by_hand import shard_of, xorb_of

HEADER = ("header", {"summary": "Change", "description": ""})


def file(path, content=b"x"):
    return ("file", {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"})


def head_of(hub, name):
    return hub.api().model_info(name).sha


@pytest.mark.parametrize(
    "path", ["../out", "a/../b", "/etc/passwd", "a//b", ".git/config", "a/.GIT/x", "a\\b", "a\0b", ""]
)
def test_a_commit_cannot_name_a_path_outside_the_repository(hub, path):
    name = hub.repository()
    before = head_of(hub, name)
    assert hub.commit(name, HEADER, file(path)).status == 400
    assert head_of(hub, name) == before


@pytest.mark.parametrize(
    "path",
    [
        "/local/{name}/resolve/main/..%2F..%2F..%2Fsettings.json",
        "/local/{name}/resolve/main/../../../../token",
        "/local/{name}/resolve/..%2F..%2Fmain/.gitattributes",
        "/..%2F..%2Flocal/{name}/resolve/main/.gitattributes",
        "/api/models/local/..%2F..%2F..%2Ftoken",
        "/lfs/..%2F..%2Ftoken",
        "/api/collections/local/..%2F..%2Faccounts",
    ],
)
def test_no_address_leads_outside_the_store(hub, path):
    name = hub.repository().split("/")[1]
    reply = hub.ask(path.format(name=name))
    assert reply.status in (400, 403, 404)
    assert hub.token.encode() not in reply.body


@pytest.mark.parametrize("name", ["..", "a/../b", "a.git", "-a", ".a", "a--b", "a" * 97, "a b", "api/x", "datasets/x"])
def test_repositories_have_plain_names(hub, name):
    assert hub.post("/api/repos/create", {"name": name}, token=hub.token).status == 400


def test_writing_needs_a_token_everywhere(hub):
    name = hub.repository()
    api = f"/api/models/{name}"
    for method, path in [
        ("POST", "/api/repos/create"),
        ("DELETE", "/api/repos/delete"),
        ("PUT", f"{api}/settings"),
        ("POST", f"{api}/preupload/main"),
        ("POST", f"{api}/commit/main"),
        ("POST", f"{api}/branch/new"),
        ("DELETE", f"{api}/branch/main"),
        ("POST", f"{api}/tag/main"),
        ("DELETE", f"{api}/tag/v1"),
        ("GET", f"{api}/xet-write-token/main"),
        ("POST", "/api/collections"),
        ("POST", "/xet/mark/v1/shards"),
        ("POST", f"/xet/mark/v1/xorbs/default/{'0' * 64}"),
    ]:
        assert hub.ask(path, method, b"{}").status == 401, path
        assert hub.ask(path, method, b"{}", token=hub.read_token).status in (401, 403), path
    objects = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]}
    assert hub.post(f"/{name}.git/info/lfs/objects/batch", objects).status == 401
    assert hub.ask(f"/lfs/{'0' * 64}", "PUT", b"x", token=hub.token).status == 403


def test_a_commit_that_changes_nothing_returns_the_head(hub):
    name = hub.repository()
    first = hub.commit(name, HEADER, file("a.txt")).json()["commitOid"]
    assert hub.commit(name, HEADER, file("a.txt")).json()["commitOid"] == first


def test_a_commit_repeated_after_a_lost_reply_is_made_once(hub):
    name = hub.repository()
    header = ("header", {"summary": "Change", "parentCommit": head_of(hub, name)})
    first = hub.commit(name, header, file("a.txt"))
    again = hub.commit(name, header, file("a.txt"))
    assert (again.status, again.json()["commitOid"]) == (200, first.json()["commitOid"])
    other = hub.commit(name, header, file("b.txt"))
    assert other.status == 412
    assert len(hub.api().list_repo_commits(name)) == 2


def test_a_commit_of_a_big_file_that_was_not_uploaded_is_refused(hub):
    name = hub.repository()
    before = head_of(hub, name)
    reply = hub.commit(name, HEADER, ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": 1}))
    assert reply.status == 400
    assert head_of(hub, name) == before


def test_a_path_cannot_be_file_and_folder_at_once(hub):
    name = hub.repository()
    assert hub.commit(name, HEADER, file("a"), file("a/b")).status == 400


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"key":"file"}', b'{"key":"odd","value":{"path":"a"}}'])
def test_a_malformed_commit_is_refused(hub, body):
    name = hub.repository()
    assert hub.ask(f"/api/models/{name}/commit/main", "POST", body, token=hub.token).status == 400


def test_an_interrupted_commit_leaves_the_head_unchanged(hub):
    name = hub.repository()
    before = head_of(hub, name)
    line = json.dumps({"key": file("a.txt")[0], "value": file("a.txt")[1]}).encode() + b"\n"
    address = urlsplit(hub.endpoint)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST /api/models/{name}/commit/main HTTP/1.1\r\nHost: {address.netloc}\r\n"
        head += f"Authorization: Bearer {hub.token}\r\nContent-Length: {len(line) + 100}\r\n\r\n"
        connection.sendall(head.encode() + line)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)
    assert head_of(hub, name) == before


def test_concurrent_commits_all_arrive(hub):
    name = hub.repository()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: hub.commit(name, HEADER, file(f"{number}.txt")), range(16)))
    assert [reply.status for reply in replies] == [200] * 16
    assert len(hub.api().list_repo_files(name)) == 17
    assert len(hub.api().list_repo_commits(name)) == 17


def lfs_upload(hub, name, content, oid=None):
    oid = oid or hashlib.sha256(content).hexdigest()
    body = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": len(content)}]}
    reply = hub.post(f"/{name}.git/info/lfs/objects/batch", body, token=hub.token).json()
    actions = reply["objects"][0]["actions"]
    return oid, *(actions[key]["href"].removeprefix(hub.endpoint) for key in ("upload", "verify"))


def test_git_lfs_takes_what_has_the_right_hash_and_nothing_else(hub):
    name = hub.repository()
    content = b"big content, small"
    oid, upload, verify = lfs_upload(hub, name, content)
    assert hub.ask(upload, "PUT", b"other content").status == 422
    assert hub.post(verify, {"oid": oid, "size": len(content)}).status == 404
    assert hub.ask(upload, "PUT", content).status == 200
    assert hub.post(verify, {"oid": oid, "size": len(content)}).status == 200
    assert hub.commit(name, HEADER, ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": oid})).status == 200
    found = lfs_download(hub, name, oid)
    assert hub.ask(found["actions"]["download"]["href"].removeprefix(hub.endpoint)).body == content


def lfs_download(hub, name, oid):
    body = {"operation": "download", "objects": [{"oid": oid, "size": 1}]}
    return hub.post(f"/{name}.git/info/lfs/objects/batch", body).json()["objects"][0]


def test_git_lfs_gives_out_what_the_repository_points_to_and_nothing_else(hub):
    secret, public = hub.repository(private=True), hub.repository()
    oid, upload, _ = lfs_upload(hub, secret, b"known by its hash alone")
    hub.ask(upload, "PUT", b"known by its hash alone")
    hub.commit(secret, HEADER, ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": oid}))
    assert lfs_download(hub, public, oid)["error"]["code"] == 404


def test_an_upload_address_is_good_for_its_file_only(hub):
    name = hub.repository()
    _, upload, _ = lfs_upload(hub, name, b"one")
    other = hashlib.sha256(b"two").hexdigest()
    assert hub.ask(f"/lfs/{other}?{upload.partition('?')[2]}", "PUT", b"two").status == 403


@pytest.fixture(scope="module")
def served(hub):
    name = hub.repository()
    content = bytes(range(256)) * 10
    oid, upload, _ = lfs_upload(hub, name, content)
    hub.ask(upload, "PUT", content)
    big = ("lfsFile", {"path": "big.bin", "algo": "sha256", "oid": oid})
    hub.commit(name, HEADER, file("small.txt", content), big)
    return name, content


@pytest.mark.parametrize("path", ["small.txt", "big.bin"])
def test_ranges(hub, served, path):
    name, content = served
    address = f"/{name}/resolve/main/{path}"
    for wanted, expected in {
        "bytes=0-0": content[:1],
        "bytes=100-199": content[100:200],
        "bytes=2500-": content[2500:],
        "bytes=2500-99999": content[2500:],
        "bytes=-10": content[-10:],
    }.items():
        reply = hub.ask(address, range=wanted)
        assert (reply.status, reply.body) == (206, expected)
    assert reply.headers["Content-Range".lower()] == "bytes 2550-2559/2560"
    assert hub.ask(address, range="bytes=2560-").status == 416
    for odd in ("bytes=5-2", "lines=1-2", "bytes=0-1,4-5"):
        assert hub.ask(address, range=odd).body == content


def test_headers_of_a_file(hub, served):
    name, content = served
    sha = head_of(hub, name)
    small = hub.ask(f"/{name}/resolve/main/small.txt", "HEAD")
    big = hub.ask(f"/{name}/resolve/main/big.bin", "HEAD")
    for reply in (small, big):
        assert (reply.headers["x-repo-commit"], reply.headers["content-length"]) == (sha, "2560")
        assert "sandbox" in reply.headers["content-security-policy"]
    assert big.headers["etag"] == big.headers["x-linked-etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert "x-linked-etag" not in small.headers
    assert hub.ask(f"/{name}/resolve/main/big.bin", if_none_match=big.headers["etag"]).status == 304
    missing = hub.ask(f"/{name}/resolve/main/absent", "HEAD")
    assert (missing.status, missing.headers["x-error-code"], missing.headers["x-repo-commit"]) == (
        404,
        "EntryNotFound",
        sha,
    )
    assert hub.ask(f"/{name}/raw/main/big.bin").body.startswith(b"version https://git-lfs")


def xet_write(hub, name):
    token = hub.ask(f"/api/models/{name}/xet-write-token/main", token=hub.token).json()
    return lambda path, body: hub.ask(f"/xet/mark/v1/{path}", "POST", body, token=token["accessToken"])


def test_xet_builds_a_file_from_its_chunks(hub):
    name = hub.repository()
    send = xet_write(hub, name)
    sha256 = hashlib.sha256(b"onetwo").hexdigest()
    xorb = "a" * 64
    assert send(f"xorbs/default/{xorb}", xorb_of(b"one", b"two")).json() == {"was_inserted": True}
    assert send(f"xorbs/default/{xorb}", xorb_of(b"one", b"two")).json() == {"was_inserted": False}
    assert send("shards", shard_of(xorb, 2, sha256, 6)).json() == {"result": 1}
    assert hub.commit(name, HEADER, ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": sha256})).status == 200
    assert hub.ask(f"/{name}/resolve/main/a.bin").body == b"onetwo"


def test_xet_refuses_what_does_not_fit(hub):
    name = hub.repository()
    send = xet_write(hub, name)
    xorb, sha256 = "b" * 64, hashlib.sha256(b"three").hexdigest()
    assert send("shards", shard_of("c" * 64, 1, sha256, 5)).status == 400, "an absent xorb"
    assert send(f"xorbs/default/{xorb}", xorb_of(b"three")[:-1]).status == 400, "a xorb cut short"
    assert send(f"xorbs/default/{xorb}", b"").status == 400, "an empty xorb"
    assert send("xorbs/default/..%2F..%2Ftoken", xorb_of(b"three")).status == 400, "a name that is no hash"
    assert send(f"xorbs/default/{xorb}", xorb_of(b"three")).status == 200
    assert send("shards", shard_of(xorb, 2, sha256, 5)).status == 400, "more chunks than there are"
    assert send("shards", shard_of(xorb, 1, sha256, 4)).status == 400, "another size"
    assert send("shards", shard_of(xorb, 1, "d" * 64, 5)).status == 422, "another content than its sha256 says"
    assert send("shards", shard_of(xorb, 1, sha256, 5)[:-60]).status == 400, "a shard cut short"
    assert hub.commit(name, HEADER, ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": "d" * 64})).status == 400
    assert not list((hub.data / "incoming").iterdir())


def test_what_is_not_here_says_so_in_json(hub):
    name = hub.repository()
    assert hub.post(f"/api/models/{name}/discussions/1/pin", {}, token=hub.token).status == 501
    assert hub.post("/api/repos/move", {"fromRepo": name, "toRepo": "local/moved"}, token=hub.token).status == 501
    assert "error" in hub.ask("/api/absent/thing").json()
    assert hub.ask("/gpt2/resolve/main/config.json").headers["x-error-code"] == "RepoNotFound"


def test_other_host_names_are_refused(hub):
    assert hub.ask("/health", host="evil.example").status == 400


def test_pages_show_a_card_without_running_any_of_it(hub):
    name = hub.repository()
    card = (
        "---\nlicense: mit\ntags: [a<b]\n---\n# Title\n\n![plot](figures/plot%20one.svg) <script>alert(1)</script>\n\n"
        "[x](javascript:alert(1)) ![out](../../x.png) <img src=x onerror=alert(1)>\n\n<!-- marker -->\n\n"
        "<details>\n<summary>More</summary>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n</details>\n"
    )
    hub.commit(name, HEADER, file("README.md", card.encode()), file("figures/plot one.svg", b"<svg/>"))
    reply = hub.ask(f"/{name}")
    text = reply.body.decode()
    picture = f"/{name}/resolve/{head_of(hub, name)}/figures/plot%20one.svg"
    assert f'src="{picture}"' in text
    assert hub.ask(picture).headers["content-type"] == "image/svg+xml"
    assert "<script" not in text
    assert "<img src=x" not in text
    assert 'href="javascript' not in text
    assert "marker" not in text
    assert "<details>" in text
    assert "a&lt;b" in text
    assert "<td>1</td>" in text
    assert "script" not in reply.headers["content-security-policy"]
    assert f"from_pretrained(&#34;{name}&#34;)" in text
    assert name in hub.ask("/").body.decode()
    assert hub.ask(f"/{name}/tree/main").status == 200


def test_private_repositories_have_no_page_for_strangers(hub):
    name = hub.repository(private=True)
    assert hub.ask(f"/{name}").status == 404
    assert name not in hub.ask("/").body.decode()
