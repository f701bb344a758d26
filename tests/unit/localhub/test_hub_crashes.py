"""The embedded Hub killed at each step that touches the disk, and on a disk that takes no more.

Each trial runs in a forked process of its own, which ends like a killed one: no handler runs, no buffer is written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from functools import partial

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")
if not hasattr(os, "fork"):
    pytest.skip("processes are forked", allow_module_level=True)

import resource

from dulwich.objects import Commit

from hubadapt.localhub import pulls
from hubadapt.localhub.addresses import RepoId
from hubadapt.localhub.changes import Change
from hubadapt.localhub.committing import Proposal, add_blob, commit
from hubadapt.localhub.hub import Hub
from hubadapt.localhub.pointers import Pointer
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import new_settings

OLD, NEW = RepoId("models", "local", "old"), RepoId("models", "local", "new")
BIG = b"big content" * 20_000
SHA256 = hashlib.sha256(BIG).hexdigest()
KILLED, DONE, REFUSED = 9, 0, 7
_TOUCH = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


def upload_and_commit(hub):
    with hub.blobs.incoming() as received:
        received.write(BIG)
        hub.blobs.keep(received, SHA256)
    repository = hub.shelf.find(OLD)
    pointer = add_blob(repository, Pointer(SHA256, len(BIG)).text())
    changes = [Change("put", f"folder/{number}.txt", add_blob(repository, b"%d" % number)) for number in range(2)]
    commit(
        repository,
        "refs/heads/main",
        Proposal("local", "Both", [*changes, Change("put", "a.odd", pointer, is_lfs=True)]),
    )


def create(hub):
    hub.shelf.create(NEW, new_settings(True, None), "local")


def branch(hub):
    repository = hub.shelf.find(OLD)
    repository.set_ref("refs/heads/stage/one", repository.commit_of("main"))


def pull(hub):
    repository = hub.shelf.find(OLD)
    change = Change("put", "pulled.txt", add_blob(repository, b"pulled"))
    content, _ = pulls.open_pull_with(repository, Proposal("local", "Pull", [change]), "Please")
    pulls.merge(repository, content["num"], "local", "Thanks")


def delete(hub):
    hub.shelf.delete(OLD)


@pytest.fixture(scope="module")
def born(tmp_path_factory):
    data = tmp_path_factory.mktemp("born") / "hub"
    Hub(data).shelf.create(OLD, new_settings(False, None), "local")
    return data


def in_child(data, prepare, work) -> int:
    """Run `work` on a Hub in a forked process; returns its exit status."""
    child = os.fork()
    if child == 0:
        status = REFUSED
        try:
            hub = Hub(data)
            prepare()
            work(hub)
            status = DONE
        except (OSError, Refusal):
            pass
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(step):
    """Make this process end at the step-th time it is about to change something on disk."""
    left = iter(range(step))

    def watch(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in _TOUCH) and next(left, None) is None:
            os._exit(KILLED)

    sys.addaudithook(watch)


def state(data):
    """All that a Hub holds, every object of it read; it is opened as a server opens it."""
    hub = Hub(data)
    found = {}
    for repository in hub.shelf.all("models"):
        refs = repository.branches()
        found[repository.address.name] = {name: contents(hub, repository, sha) for name, sha in refs.items()}
        assert repository.settings().private == (repository.address == NEW)
        with repository.git() as git:
            assert all(git.object_store[oid].id == oid for oid in git.object_store)
            assert all(isinstance(git.object_store[sha.encode()], Commit) for sha in refs.values())
    assert not list((data / "incoming").iterdir())
    return found


def contents(hub, repository, sha):
    files = repository.files(sha)
    for entry in files:
        if entry.pointer:
            content = b"".join(hub.blobs.read(entry.pointer.sha256))
            assert hashlib.sha256(content).hexdigest() == entry.pointer.sha256
    return {entry.path: entry.oid for entry in files}


# Making a repository takes about 60 steps, a commit about 40: every few of them are tried.
@pytest.mark.parametrize(("work", "stride"), [(upload_and_commit, 4), (create, 9), (branch, 1), (pull, 6), (delete, 5)])
def test_killed_at_any_step_it_holds_all_of_a_change_or_nothing(work, stride, born, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(born, whole)
    before = state(whole)
    work(Hub(whole))
    after = state(whole)
    assert before != after
    seen = []
    for step in range(0, 1000, stride):
        data = tmp_path / str(step)
        shutil.copytree(born, data)
        status = in_child(data, partial(kill_at, step), work)
        assert status in (KILLED, DONE)
        found = state(data)
        assert found in (before, after)
        seen.append(found == after)
        if status == DONE:
            break
        if found == before:
            work(Hub(data))
            assert state(data) == after
        shutil.rmtree(data)
    assert seen == sorted(seen), "what was done is never undone"
    assert seen[-1]
    assert not seen[0]


def fill_disk(limit):
    """Let no file grow beyond `limit` bytes: writes then fail as on a full disk, whenever they reach it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


# A reference has 41 bytes, small objects some 60, lists of files and the settings more.
@pytest.mark.parametrize(
    ("work", "limits"), [(upload_and_commit, (0, 60, 100, 200)), (create, (0, 30, 60, 100)), (branch, (0, 30))]
)
def test_a_full_disk_refuses_a_change_wholly_and_the_next_one_is_taken(work, limits, born, tmp_path):
    def try_twice(hub):
        with pytest.raises((OSError, Refusal)) as error:
            work(hub)
        assert not isinstance(error.value, Refusal) or error.value.status == 507
        fill_disk(resource.RLIM_INFINITY)
        assert list(hub.shelf.find(OLD).branches()) == ["main"]
        assert not hub.shelf.find(NEW)
        work(hub)

    whole = tmp_path / "whole"
    shutil.copytree(born, whole)
    work(Hub(whole))
    after = state(whole)
    for limit in limits:
        data = tmp_path / str(limit)
        shutil.copytree(born, data)
        assert in_child(data, partial(fill_disk, limit), try_twice) == DONE
        assert state(data) == after
