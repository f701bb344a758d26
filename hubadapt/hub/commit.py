"""One branch of a repository on the Hub: what it holds, making it, and its one commit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from hubadapt.errors import HubError, ManifestError
from hubadapt.hub.errors import LOGIN, RIGHTS, explained
from hubadapt.hub.owner_words import split_words
from hubadapt.hub.plan import Remote, RemoteFile, RepositoryPlan, Upload
from hubadapt.lineage import MAIN
from hubadapt.manifest import hash_bytes

_IN_MEMORY = 20_000_000
_MADE_BY_THE_HUB = {
    "model": {".gitattributes"}, "dataset": {".gitattributes"}, "space": {".gitattributes", "README.md"},
}  # fmt: skip


def require_write(api: Any, what: str) -> None:
    """Stop where publishing could not even begin.

    Args:
        api: The Hub's client.
        what: What is to be published, for the message.

    Raises:
        HubError: There is no token, one that may only read, or the Hub does not take it or does not answer.
    """
    from huggingface_hub import get_token

    if api.token is None and get_token() is None:
        raise HubError(f"there is no token, and publishing {what} needs one.", LOGIN)
    with explained(what, write=True, endpoint=api.endpoint):
        user = api.whoami()
    # A fine-grained token does not tell what it may do; where it may not write, the Hub refuses the first repository.
    if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise HubError(f"the token may not write {what}: it may only read.", RIGHTS)


def snapshot(api: Any, plan: RepositoryPlan, revision: str | None = None) -> Remote:
    """What the Hub holds of a plan's branch, or of a commit.

    Raises:
        HubError: The Hub does not let it be read, or does not answer.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    with explained(plan.id, write=True, endpoint=api.endpoint):
        try:
            info = api.repo_info(plan.id, repo_type=plan.type, revision=revision or plan.revision, files_metadata=True)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return Remote()
    files = {
        file.rfilename: RemoteFile(file.blob_id, file.lfs.sha256 if file.lfs else None) for file in info.siblings or ()
    }
    return Remote(info.sha, files, bool(info.private))


def read_text(api: Any, plan: RepositoryPlan, head: str) -> Callable[[str], str]:
    """Gives the text of a file of a plan's repository at a commit."""

    def read(path: str) -> str:
        with explained(plan.id, endpoint=api.endpoint):
            found = api.hf_hub_download(plan.id, path, repo_type=plan.type, revision=head)
        return Path(found).read_bytes().decode("utf-8", errors="replace")

    return read


def words_on_hub(api: Any, id: str, path: str) -> str:
    """The owner's words in a card of a model on the Hub; empty where there is no such card, or none in it.

    Raises:
        HubError: The Hub does not answer.
    """
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    with explained(id, endpoint=api.endpoint):
        try:
            text = Path(api.hf_hub_download(id, path)).read_bytes().decode("utf-8", errors="replace")
        except (EntryNotFoundError, RepositoryNotFoundError):
            return ""
    found = split_words(text)
    return found[1] if found else ""


def make(api: Any, plan: RepositoryPlan, *, private: bool) -> Remote:
    """Make the repository and the branch of a plan, which were not there a moment ago; what the branch holds then.

    Raises:
        HubError: The Hub refuses, or does not answer, or somebody else made it meanwhile.
    """
    sdk = {"space_sdk": "gradio"} if plan.type == "space" else {}
    with explained(plan.id, write=True, endpoint=api.endpoint):
        api.create_repo(plan.id, repo_type=plan.type, private=private, exist_ok=True, **sdk)
        if plan.revision != MAIN:
            # A branch that began at the head of `main` would hold files of another model.
            first = api.list_repo_commits(plan.id, repo_type=plan.type)[-1].commit_id
            api.create_branch(plan.id, repo_type=plan.type, branch=plan.revision, revision=first, exist_ok=True)
    made = snapshot(api, plan)
    if plan.revision == MAIN and made.files.keys() - _MADE_BY_THE_HUB[plan.type]:
        raise HubError(f"{plan.address} was made by someone else meanwhile.", "Look at it, then push again.")
    return made


def send(api: Any, plan: RepositoryPlan, remote: Remote, uploads: Collection[Upload], gone: Collection[str]) -> str:
    """Make one commit on top of what is there; its sha.

    Args:
        api: The Hub's client.
        plan: Which branch, and the commit's title.
        remote: What the branch holds; if it holds something else by now, nothing is committed.
        uploads: Files to add or replace.
        gone: Paths to delete.

    Raises:
        HubError: The Hub refuses, does not answer, or was changed meanwhile.
        ManifestError: A file on disk is not any more what it was when the push began.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(upload.path, _content(upload)) for upload in uploads]
    large = [operation for operation in additions if isinstance(operation.path_or_fileobj, str)]
    hashes = {upload.path: upload for upload in uploads}
    with explained(plan.id, write=True, endpoint=api.endpoint):
        if large:
            api.preupload_lfs_files(plan.id, large, repo_type=plan.type, revision=plan.revision, free_memory=False)
        for operation in large:
            _require_hash(hashes[operation.path_in_repo], operation.upload_info.sha256.hex())
        done = api.create_commit(
            plan.id,
            [*additions, *(CommitOperationDelete(path) for path in gone)],
            repo_type=plan.type,
            revision=plan.revision,
            commit_message=plan.message,
            parent_commit=remote.head,
        )
    return str(done.oid)


def _content(upload: Upload) -> str | bytes:
    """What is sent: small files as bytes, so that what was hashed is what goes."""
    if upload.local is None:
        return upload.text.encode()
    if upload.size >= _IN_MEMORY:
        return str(upload.local)
    data = upload.local.read_bytes()
    _require_hash(upload, hash_bytes(data))
    return data


def _require_hash(upload: Upload, found: str) -> None:
    if found != upload.sha256:
        raise ManifestError(
            f"{upload.local} changed while it was published: its hash is {found[:12]}…, not {upload.sha256[:12]}….",
            "Run the recipe again, then push again; of this repository nothing was published.",
        )
