"""The stores behind the embedded Hub, without a server."""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")

from hypothesis import given
from hypothesis import strategies as st

from hubadapt.errors import HubError
from hubadapt.localhub import accounts, tickets
from hubadapt.localhub.addresses import RepoId, is_name, require_path
from hubadapt.localhub.blobs import BlobStore
from hubadapt.localhub.changes import Change, apply
from hubadapt.localhub.committing import Proposal, add_blob, commit
from hubadapt.localhub.hub import Hub
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import new_settings

PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f"])
CHANGES = st.lists(
    st.one_of(
        st.builds(Change, st.just("put"), PATHS, st.sampled_from(["1", "2"])),
        st.builds(Change, st.just("delete"), PATHS),
        st.builds(Change, st.just("delete folder"), st.sampled_from(["d", "d/e"])),
    ),
    max_size=8,
)


@pytest.fixture
def hub(tmp_path):
    return Hub(tmp_path / "data")


@pytest.fixture
def repository(hub):
    return hub.shelf.create(RepoId("models", "local", "m"), new_settings(False, None), "local")


def put(repository, path, content, message="Change", parent=None):
    change = Change("put", path, add_blob(repository, content))
    return commit(repository, "refs/heads/main", Proposal("local", message, [change], parent))


@given(CHANGES)
def test_applying_changes_equals_a_plain_loop_or_names_what_is_missing(changes):
    expected, fails = {}, False
    for change in changes:
        if change.action == "put":
            expected[change.path] = change.oid
        else:
            start = change.path + ("" if change.action == "delete" else "/")
            gone = [p for p in expected if p == start or (start.endswith("/") and p.startswith(start))]
            fails = fails or not gone
            expected = {p: oid for p, oid in expected.items() if p not in gone}
    if fails:
        with pytest.raises(Refusal) as error:
            apply({}, changes)
        assert error.value.status == 404
    else:
        assert apply({}, changes) == expected


@given(st.text(max_size=30))
def test_accepted_names_and_paths_stay_inside(text):
    if is_name(text):
        assert "/" not in text
        assert text.strip(".") == text
    try:
        path = require_path(text)
    except (Refusal, UnicodeEncodeError):
        return
    assert not {"", ".", "..", ".git"} & set(path.split("/"))


@pytest.mark.skipif(which("git") is None, reason="git is not installed")
def test_the_repositories_are_what_git_expects(repository):
    put(repository, "a.txt", b"1")
    put(repository, "folder/ünïcode.txt", b"2", message="Überschrift\n\nText")
    repository.set_ref("refs/heads/stage/one", repository.commit_of("main"))
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", repository.folder / "git", "fsck", "--strict", "--full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    log = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", repository.folder / "git", "log", "--format=%s", "stage/one"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert log.stdout.split("\n")[:3] == ["Überschrift", "Change", "initial commit"]


def test_concurrent_writers_of_the_same_content_lose_nothing(repository):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(repository, f"{number}.txt", b"same"), range(24)))
    head = repository.commit_of("main")
    assert len(repository.files(head)) == 25
    assert len(repository.history(head)) == 25


def test_the_last_change_of_a_path_is_the_commit_that_made_it(repository):
    first = put(repository, "a.txt", b"1")
    second = put(repository, "b.txt", b"2")
    put(repository, "c.txt", b"3")
    found = repository.last_changes(repository.commit_of("main"), ["a.txt", "b.txt"])
    assert (found["a.txt"].sha, found["b.txt"].sha) == (first, second)


@pytest.mark.parametrize("name", ["a..b", "a b", "a~1", "", "/a", "a.lock", "HEAD", "0" * 40, "a/", "a" * 300])
def test_names_of_branches_are_those_git_allows(repository, name):
    with pytest.raises(Refusal) as error:
        repository.set_ref(f"refs/heads/{name}", repository.commit_of("main"))
    assert error.value.status == 400


def test_a_branch_cannot_be_part_of_the_name_of_another(repository):
    head = repository.commit_of("main")
    repository.set_ref("refs/heads/stage", head)
    with pytest.raises(Refusal) as error:
        repository.set_ref("refs/heads/stage/one", head)
    assert error.value.status == 409


def test_a_blob_with_the_wrong_content_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "incoming").mkdir()
    store = BlobStore(tmp_path / "blobs", tmp_path / "incoming")
    wrong = hashlib.sha256(b"other").hexdigest()
    with store.incoming() as received, pytest.raises(Refusal):
        received.write(b"content")
        store.keep(received, wrong)
    assert store.size(wrong) is None
    assert not list((tmp_path / "incoming").iterdir())
    with store.incoming() as received:
        received.write(b"content")
        store.keep(received, received.sha256)
    assert b"".join(store.read(received.sha256, 2, 5)) == b"nte"


def test_tokens_have_roles_and_unknown_ones_none(tmp_path):
    opened = accounts.ensure_accounts(tmp_path, "anna")
    token = accounts.write_token(tmp_path)
    assert opened.visitor(token) == accounts.Visitor("anna", "write")
    assert opened.visitor(token + "x") is None
    reader = accounts.new_token(tmp_path, "read")
    opened = accounts.ensure_accounts(tmp_path, "other")
    assert opened.visitor(reader) == accounts.Visitor("anna", "read")
    assert reader not in (tmp_path / "accounts.json").read_text()


def test_a_token_issued_while_serving_counts_at_once(hub, tmp_path):
    assert hub.accounts.visitor(accounts.write_token(tmp_path / "data"))
    token = accounts.new_token(tmp_path / "data", "read")
    assert hub.accounts.visitor(token) == accounts.Visitor("local", "read")


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "letter.txt").write_text("mine")
    with pytest.raises(HubError, match="no data folder"):
        Hub(tmp_path)
    assert (tmp_path / "incoming" / "letter.txt").exists()


def test_a_folder_never_served_has_no_token(tmp_path):
    with pytest.raises(HubError) as error:
        accounts.write_token(tmp_path)
    assert "hub serve" in error.value.hint


@given(st.text(max_size=40))
def test_forged_tickets_are_refused(text):
    good, _ = tickets.issue(b"secret", "put x")
    assert tickets.is_good(b"secret", "put x", good)
    assert not tickets.is_good(b"secret", "put x", text)
    assert not tickets.is_good(b"secret", "put y", good)
    assert not tickets.is_good(b"other", "put x", good)
    assert not tickets.is_good(b"secret", "put x", tickets.issue(b"secret", "put x", -1)[0])
