"""git itself: clone, fetch and push over HTTP, with git-lfs by its documented protocol."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import subprocess
from shutil import which

import pytest
from huggingface_hub import CommitOperationAdd

pytestmark = pytest.mark.skipif(which("git") is None, reason="git is not installed")


@pytest.fixture
def git(hub, tmp_path):
    """Call git in a folder, with a token or none; returns its exit status and what it printed."""
    settings = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "*"}
    settings |= {"GIT_AUTHOR_NAME": "Anna", "GIT_AUTHOR_EMAIL": "a@b", "GIT_LFS_SKIP_SMUDGE": "1"}
    settings |= {"GIT_COMMITTER_NAME": "Anna", "GIT_COMMITTER_EMAIL": "a@b", "PATH": os.environ["PATH"]}

    def call(*arguments, folder=tmp_path, token=None):
        options = []
        if token:
            header = base64.b64encode(f"user:{token}".encode()).decode()
            options = ["-c", f"http.extraHeader=Authorization: Basic {header}"]
        done = subprocess.run(
            ["git", *options, *arguments], cwd=folder, env=settings, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return call


def commit_file(git, folder, path, content, message="Change"):
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(content)
    assert git("add", "-A", folder=folder)[0] == 0
    assert git("commit", "-qm", message, folder=folder)[0] == 0


def clone(git, hub, name, tmp_path, token=None):
    status, said = git("clone", "-q", f"{hub.endpoint}/{name}", "copy", token=token)
    assert status == 0, said
    return tmp_path / "copy"


def test_a_clone_holds_files_pointers_branches_and_history(hub, git, tmp_path):
    api, name = hub.api(), hub.repository()
    big = b"\0" * 100_000
    files = {"a.txt": b"1", "folder/b.txt": b"2", "c.safetensors": big}
    api.create_commit(name, [CommitOperationAdd(*file) for file in files.items()], commit_message="Add")
    api.create_branch(name, branch="stage/one")
    api.create_tag(name, tag="v1")
    folder = clone(git, hub, name, tmp_path)
    assert (folder / "folder" / "b.txt").read_bytes() == b"2"
    assert hashlib.sha256(big).hexdigest() in (folder / "c.safetensors").read_text()
    assert git("log", "--format=%s", folder=folder)[1].split("\n")[:2] == ["Add", "initial commit"]
    assert "origin/stage/one" in git("branch", "-r", folder=folder)[1]
    assert git("tag", folder=folder)[1] == "v1\n"
    api.upload_file(path_or_fileobj=b"3", path_in_repo="d.txt", repo_id=name)
    assert git("pull", "-q", folder=folder)[0] == 0
    assert (folder / "d.txt").read_bytes() == b"3"


def test_what_git_pushes_clients_download(hub, git, tmp_path):
    api, name = hub.api(), hub.repository()
    folder = clone(git, hub, name, tmp_path)
    commit_file(git, folder, "a.txt", b"1", "By git")
    os.symlink("a.txt", folder / "link")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    commit_file(git, folder, "folder/ünïcode.txt", b"2", "By git again")
    assert git("push", "-q", "origin", "main", "main:refs/heads/stage/two", folder=folder)[0] != 0, "no token"
    assert git("push", "-q", "origin", "main", folder=folder, token=hub.read_token)[0] != 0, "a token that reads"
    status, said = git("push", "-q", "origin", "main", "main:refs/heads/stage/two", folder=folder, token=hub.token)
    assert status == 0, said
    head = git("rev-parse", "main", folder=folder)[1].strip()
    assert {branch.name: branch.target_commit for branch in api.list_repo_refs(name).branches} == {
        "main": head,
        "stage/two": head,
    }
    with open(api.hf_hub_download(name, "folder/ünïcode.txt"), "rb") as file:
        assert file.read() == b"2"
    assert [commit.title for commit in api.list_repo_commits(name)][:2] == ["By git again", "By git"]
    api.upload_file(path_or_fileobj=b"3", path_in_repo="c.txt", repo_id=name)
    assert git("pull", "-q", folder=folder)[0] == 0
    listed = git("ls-tree", "HEAD", folder=folder)[1]
    assert "100755 blob" in listed, "a program stays one"
    assert "120000 blob" in listed, "a link stays one"
    api.upload_file(path_or_fileobj=b"no link", path_in_repo="link", repo_id=name)
    assert git("pull", "-q", folder=folder)[0] == 0
    assert not (folder / "link").is_symlink(), "what replaces a link is none"


def test_a_push_over_somebody_elses_commit_is_refused(hub, git, tmp_path):
    api, name = hub.api(), hub.repository()
    folder = clone(git, hub, name, tmp_path)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=name)
    head = api.model_info(name).sha
    commit_file(git, folder, "b.txt", b"2")
    assert git("push", "-q", "origin", "main", folder=folder, token=hub.token)[0] != 0
    assert api.model_info(name).sha == head


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("big.bin", b"\0" * (10 * 1024 * 1024 + 1), "git-lfs"),
        (
            "absent.bin",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"e" * 64 + b"\nsize 5\n",
            "git lfs push",
        ),
        ("back\\slash", b"1", "Not a valid path"),
    ],
)
def test_files_that_could_not_be_served_stop_a_push(hub, git, tmp_path, path, content, said):
    name = hub.repository()
    folder = clone(git, hub, name, tmp_path)
    commit_file(git, folder, path, content)
    status, output = git("push", "-q", "origin", "main", folder=folder, token=hub.token)
    assert status != 0
    assert said in output
    assert hub.api().list_repo_files(name) == [".gitattributes"]


def test_only_branches_tags_and_open_pull_requests_can_be_pushed(hub, git, tmp_path):
    api, name = hub.api(), hub.repository()
    folder = clone(git, hub, name, tmp_path)
    commit_file(git, folder, "a.txt", b"1")
    for ref, works in {"refs/notes/x": False, "refs/pr/1": False, "refs/heads/x": True, "refs/tags/x": True}.items():
        assert (git("push", "-q", "origin", f"HEAD:{ref}", folder=folder, token=hub.token)[0] == 0) == works
    assert git("push", "-q", "origin", ":main", folder=folder, token=hub.token)[0] != 0
    assert git("push", "-q", "origin", ":refs/heads/x", folder=folder, token=hub.token)[0] == 0
    api.create_pull_request(name, "By git")
    assert git("push", "-q", "origin", "HEAD:refs/pr/1", folder=folder, token=hub.token)[0] == 0
    api.merge_pull_request(name, 1)
    assert "a.txt" in api.list_repo_files(name)


def test_a_private_repository_is_cloned_with_a_token_only(hub, git, tmp_path):
    name = hub.repository(private=True)
    assert git("clone", "-q", f"{hub.endpoint}/{name}", "stranger")[0] != 0
    assert hub.ask(f"/{name}.git/info/refs?service=git-upload-pack").status == 401
    clone(git, hub, name, tmp_path, token=hub.read_token)


def test_a_compressed_request_is_understood_and_one_that_is_broken_refused(hub):
    name = hub.repository()
    ask = {"content_type": "application/x-git-upload-pack-request", "content_encoding": "gzip"}
    capabilities = "side-band-64k thin-pack ofs-delta"
    want = f"want {hub.api().model_info(name).sha} {capabilities}\n".encode()
    body = gzip.compress(b"%04x%s0000" % (len(want) + 4, want) + b"0009done\n")
    reply = hub.ask(f"/{name}/git-upload-pack", "POST", body, **ask)
    assert (reply.status, b"PACK" in reply.body) == (200, True)
    assert hub.ask(f"/{name}/git-upload-pack", "POST", body[:-20], **ask).status == 400


def test_git_lfs_asks_for_a_private_file_with_a_password_and_pushes_what_it_put(hub, git, tmp_path):
    name = hub.repository(private=True)
    content = b"\1" * 50_000
    oid = hashlib.sha256(content).hexdigest()
    folder = clone(git, hub, name, tmp_path, token=hub.token)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    commit_file(git, folder, "a.bin", pointer.encode())
    batch = f"/{name}.git/info/lfs/objects/batch"
    wanted = {"operation": "upload", "transfers": ["lfs-standalone-file", "basic", "ssh"], "objects": []}
    wanted["objects"] = [{"oid": oid, "size": len(content)}]
    refused = hub.post(batch, wanted)
    assert (refused.status, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    password = {"Authorization": "Basic " + base64.b64encode(f"u:{hub.token}".encode()).decode()}
    reply = hub.post(batch, wanted, **password).json()
    assert reply["transfer"] == "basic"
    upload = reply["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.endpoint)
    assert hub.ask(upload, "PUT", content).status == 200
    assert git("push", "-q", "origin", "main", folder=folder, token=hub.token)[0] == 0
    reply = hub.post(batch, wanted | {"operation": "download"}, **password).json()
    assert hub.ask(reply["objects"][0]["actions"]["download"]["href"].removeprefix(hub.endpoint)).body == content
    assert hub.post(f"/{name}.git/info/lfs/locks/verify", {}, **password).status in (404, 501)
