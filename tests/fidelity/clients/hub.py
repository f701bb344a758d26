"""huggingface_hub, any version from 0.36 on: create, push, load, list, branch, tag, pull request, delete.

Its settings are HF_ENDPOINT, HF_TOKEN and HF_HOME, and nothing else.
"""

import random
import sys
import tempfile
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    __version__,
    get_token,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

assert __version__ == sys.argv[1], __version__
NAME = f"local/client-{__version__}"
BIG = random.Random(__version__).randbytes(5_000_000)
api = HfApi()


def status_of(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error as caught:
        return caught.response.status_code
    raise AssertionError("nothing was raised")


def create():
    assert api.whoami()["name"] == "local"
    assert str(api.create_repo(NAME)).endswith(NAME)
    assert status_of(HfHubHTTPError, api.create_repo, NAME) == 409
    assert str(api.create_repo(NAME, exist_ok=True)).endswith(NAME)
    assert api.repo_exists(NAME)
    assert status_of(RepositoryNotFoundError, api.model_info, "local/absent") == 404


def push(folder):
    (folder / "sub").mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: ru\n---\nПривет\n", "utf-8")
    (folder / "sub" / "config.json").write_text('{"a": 1}')
    (folder / "model.safetensors").write_bytes(BIG)
    parent = api.model_info(NAME).sha
    first = api.upload_folder(repo_id=NAME, folder_path=folder)
    again = api.upload_folder(repo_id=NAME, folder_path=folder)
    assert first.oid == again.oid == api.model_info(NAME).sha
    add = CommitOperationAdd("sub/more.txt", b"more")
    stale = {"operations": [add], "commit_message": "Stale", "parent_commit": parent}
    assert status_of(HfHubHTTPError, api.create_commit, NAME, **stale) == 412
    api.create_commit(NAME, [add], commit_message="More", parent_commit=first.oid)
    with (folder / "model.safetensors").open("rb") as file:
        api.upload_file(path_or_fileobj=file, path_in_repo="by-lfs.safetensors", repo_id=NAME)


def load(folder):
    for path in ("model.safetensors", "by-lfs.safetensors"):
        assert Path(hf_hub_download(NAME, path)).read_bytes() == BIG
    kept = Path(snapshot_download(NAME))
    assert "Привет" in (kept / "README.md").read_text("utf-8")
    copy = Path(snapshot_download(NAME, local_dir=folder / "copy", allow_patterns="sub/*"))
    assert sorted(path.name for path in (copy / "sub").iterdir()) == ["config.json", "more.txt"]
    with HfFileSystem().open(f"{NAME}/model.safetensors", "rb") as file:
        file.seek(4_000_000)
        assert file.read(10) == BIG[4_000_000:4_000_010]
    assert status_of(EntryNotFoundError, hf_hub_download, NAME, "absent") == 404
    assert status_of(RevisionNotFoundError, hf_hub_download, NAME, "README.md", revision="absent") == 404


def show():
    files = {
        ".gitattributes",
        "README.md",
        "model.safetensors",
        "by-lfs.safetensors",
        "sub/config.json",
        "sub/more.txt",
    }
    assert set(api.list_repo_files(NAME)) == files
    sizes = {entry.path: entry.size for entry in api.list_repo_tree(NAME, recursive=True) if hasattr(entry, "size")}
    assert sizes["model.safetensors"] == len(BIG)
    assert len(api.get_paths_info(NAME, ["README.md", "absent", "sub"])) == 2
    assert [commit.title for commit in api.list_repo_commits(NAME)][-1] == "initial commit"
    info = api.model_info(NAME, files_metadata=True)
    assert info.card_data.license == "mit"
    assert NAME in {model.id for model in api.list_models(author="local")}


def branch_and_tag():
    api.create_branch(NAME, branch="stage/one")
    api.upload_file(path_or_fileobj=b"1", path_in_repo="branch.txt", repo_id=NAME, revision="stage/one")
    assert Path(hf_hub_download(NAME, "branch.txt", revision="stage/one")).read_bytes() == b"1"
    assert not api.file_exists(NAME, "branch.txt")
    api.create_tag(NAME, tag="v1.0", revision="stage/one", tag_message="First")
    assert Path(hf_hub_download(NAME, "branch.txt", revision="v1.0")).read_bytes() == b"1"
    refs = api.list_repo_refs(NAME)
    assert ({b.name for b in refs.branches}, {t.name for t in refs.tags}) == ({"main", "stage/one"}, {"v1.0"})
    api.delete_tag(NAME, tag="v1.0")
    api.delete_branch(NAME, branch="stage/one")
    assert len(api.list_repo_refs(NAME).branches) == 1


def pull_request():
    add, gone = CommitOperationAdd("pull.txt", b"1"), CommitOperationDelete("sub/more.txt")
    made = api.create_commit(NAME, [add, gone], commit_message="Pull", create_pr=True)
    assert Path(hf_hub_download(NAME, "pull.txt", revision=made.pr_revision)).read_bytes() == b"1"
    details = api.get_discussion_details(NAME, made.pr_num)
    assert (details.status, details.is_pull_request, details.conflicting_files) == ("open", True, [])
    assert api.comment_discussion(NAME, made.pr_num, "Fine").content == "Fine"
    api.merge_pull_request(NAME, made.pr_num, comment="Merged")
    assert api.get_discussion_details(NAME, made.pr_num).status == "merged"
    assert api.file_exists(NAME, "pull.txt")
    assert not api.file_exists(NAME, "sub/more.txt")
    talk = api.create_discussion(NAME, "A question", description="Why?")
    assert api.change_discussion_status(NAME, talk.num, "closed").new_status == "closed"
    assert [one.num for one in api.get_repo_discussions(NAME)] == [talk.num, made.pr_num]


def delete():
    api.delete_file("pull.txt", NAME)
    api.delete_folder("sub", NAME)
    assert not {"pull.txt", "sub/config.json"} & set(api.list_repo_files(NAME))
    collection = api.create_collection(f"Of {__version__}", namespace="local")
    api.add_collection_item(collection.slug, NAME, "model")
    api.delete_collection(collection.slug)
    api.super_squash_history(NAME)
    assert len(api.list_repo_commits(NAME)) == 1
    api.delete_repo(NAME)
    assert not api.repo_exists(NAME)


assert get_token()
with tempfile.TemporaryDirectory() as work:
    create()
    push(Path(work))
    load(Path(work))
    show()
    branch_and_tag()
    pull_request()
    delete()
