"""The real huggingface_hub client, in its default configuration (big files go by Xet)."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfFileSystem, constants
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def make_bytes(size, seed=0):
    return random.Random(seed).randbytes(size)


def push(api, name, files, **options):
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return api.create_commit(name, operations, commit_message=options.pop("message", "Add files"), **options)


def fetch(api, name, path, **options):
    with open(api.hf_hub_download(name, path, **options), "rb") as file:
        return file.read()


def test_the_client_under_test_uses_xet():
    assert importlib.util.find_spec("hf_xet")
    assert not constants.HF_HUB_DISABLE_XET


def test_small_and_big_files_come_back_as_they_were(hub):
    api, name = hub.api(), hub.repository()
    # Random bytes stay raw, floats are grouped by bytes, repeated text is compressed: the three ways to store a chunk.
    files = {
        "README.md": "---\nlicense: apache-2.0\n---\nПривет\n".encode(),
        "folder/with space/ünïcode #1?.txt": b"text\n",
        "empty.bin": b"",
        "random.safetensors": make_bytes(3_000_001),
        "grouped.safetensors": b"".join(bytes((i & 255, i >> 8 & 255, 3, 7)) for i in range(500_000)) + b"xyz",
        "repeated.safetensors": b"the same again and again " * 100_000,
    }
    push(api, name, files)
    assert {path: fetch(api, name, path) for path in files} == files
    assert any((hub.data / "xet" / "xorbs").rglob("*"))


def test_ids_are_those_of_git_and_sha256(hub):
    api, name = hub.api(), hub.repository()
    big = make_bytes(200_000, seed=1)
    push(api, name, {"a.txt": b"hello\n", "b.safetensors": big})
    entries = {entry.path: entry for entry in api.list_repo_tree(name)}
    assert entries["a.txt"].blob_id == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert entries["b.safetensors"].lfs.sha256 == hashlib.sha256(big).hexdigest()
    assert entries["b.safetensors"].size == len(big)


def test_a_second_push_of_the_same_is_no_commit(hub, tmp_path):
    api, name = hub.api(), hub.repository()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(make_bytes(100_000, seed=2))
    first = api.upload_folder(repo_id=name, folder_path=tmp_path)
    count = len(api.list_repo_commits(name))
    second = api.upload_folder(repo_id=name, folder_path=tmp_path)
    assert len(api.list_repo_commits(name)) == count
    assert first.oid == second.oid


def test_changing_the_middle_of_a_big_file_sends_little_and_gives_the_right_file(hub):
    api, name = hub.api(), hub.repository()
    before = make_bytes(4_000_000, seed=3)
    after = before[:2_000_000] + b"insert" + before[2_000_000:]
    push(api, name, {"model.safetensors": before})
    used = sum(path.stat().st_size for path in (hub.data / "xet" / "xorbs").rglob("*") if path.is_file())
    push(api, name, {"model.safetensors": after})
    added = sum(path.stat().st_size for path in (hub.data / "xet" / "xorbs").rglob("*") if path.is_file()) - used
    assert fetch(api, name, "model.safetensors") == after
    assert added < 1_000_000


def test_the_same_file_goes_to_a_second_repository(hub):
    api, first, second = hub.api(), hub.repository(), hub.repository()
    big = make_bytes(500_000, seed=4)
    for name in (first, second):
        push(api, name, {"model.safetensors": big})
        assert fetch(api, name, "model.safetensors") == big


def test_a_file_object_goes_by_git_lfs(hub, tmp_path):
    api, name = hub.api(), hub.repository()
    content = make_bytes(300_000, seed=5)
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        api.create_commit(name, [CommitOperationAdd("model.safetensors", file)], commit_message="By LFS")
    assert fetch(api, name, "model.safetensors") == content


def test_a_stale_parent_is_refused_with_412(hub):
    api, name = hub.api(), hub.repository()
    parent = api.model_info(name).sha
    push(api, name, {"a.txt": b"1"}, parent_commit=parent)
    with pytest.raises(HfHubHTTPError) as error:
        push(api, name, {"a.txt": b"2"}, parent_commit=parent)
    assert error.value.response.status_code == 412
    assert fetch(api, name, "a.txt") == b"1"


def test_deleting_files_and_folders(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"a.txt": b"1", "b/c.txt": b"2", "b/d/e.txt": b"3"})
    api.delete_folder("b", name)
    api.delete_file("a.txt", name)
    assert api.list_repo_files(name) == [".gitattributes"]
    with pytest.raises(EntryNotFoundError):
        api.create_commit(name, [CommitOperationDelete("a.txt")], commit_message="Again")


def test_branches_and_tags_with_slashes(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"stage.txt": b"main"})
    api.create_branch(name, branch="stage/01-tokenizer")
    push(api, name, {"stage.txt": b"tokenizer"}, revision="stage/01-tokenizer")
    api.create_tag(name, tag="v1/one", revision="stage/01-tokenizer", tag_message="first")
    sha = api.model_info(name, revision="stage/01-tokenizer").sha
    for revision in ("stage/01-tokenizer", "v1/one", sha, sha[:10], "refs/heads/stage/01-tokenizer"):
        assert fetch(api, name, "stage.txt", revision=revision) == b"tokenizer"
    assert fetch(api, name, "stage.txt") == b"main"
    refs = api.list_repo_refs(name)
    assert {branch.name for branch in refs.branches} == {"main", "stage/01-tokenizer"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1/one", sha)]
    with pytest.raises(HfHubHTTPError) as error:
        api.create_branch(name, branch="stage/01-tokenizer")
    assert error.value.response.status_code == 409
    api.delete_tag(name, tag="v1/one")
    api.delete_branch(name, branch="stage/01-tokenizer")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(name, revision="stage/01-tokenizer")


def test_snapshot_download_brings_everything_once(hub, tmp_path):
    api, name = hub.api(), hub.repository()
    push(api, name, {"config.json": b"{}", "sub/model.safetensors": make_bytes(50_000)})
    folder = api.snapshot_download(name, cache_dir=tmp_path)
    assert sorted(os.listdir(folder)) == [".gitattributes", "config.json", "sub"]
    assert api.snapshot_download(name, cache_dir=tmp_path, local_files_only=True) == folder


def test_an_absent_file_is_remembered_per_commit(hub, tmp_path):
    api, name = hub.api(), hub.repository()
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(name, "absent.json", cache_dir=tmp_path)
    remembered = list(tmp_path.glob(f"models--*/.no_exist/{api.model_info(name).sha}/absent.json"))
    assert len(remembered) == 1


def test_missing_things_raise_what_the_real_hub_raises(hub):
    api, name = hub.api(), hub.repository()
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("local/absent")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(name, revision="absent")
    with pytest.raises(RevisionNotFoundError):
        push(api, name, {"a": b"1"}, revision="absent")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(name, "absent"))
    with pytest.raises((EntryNotFoundError, RepositoryNotFoundError, LocalEntryNotFoundError)):
        api.hf_hub_download("gpt2", "config.json")


def test_repositories_are_made_listed_and_deleted(hub):
    api = hub.api()
    assert api.create_repo("some-org/first", repo_type="dataset").endswith("/datasets/some-org/first")
    api.create_repo("some-org/first", repo_type="dataset", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo("some-org/first", repo_type="dataset")
    assert error.value.response.status_code == 409
    assert [found.id for found in api.list_datasets(author="some-org")] == ["some-org/first"]
    assert [found.id for found in api.list_datasets(search="org/fir")] == ["some-org/first"]
    assert not list(api.list_models(author="some-org"))
    assert "some-org" in [org["name"] for org in api.whoami()["orgs"]]
    api.delete_repo("some-org/first", repo_type="dataset")
    assert not list(api.list_datasets(author="some-org"))
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo("some-org/first", repo_type="dataset")


def test_a_card_shows_in_the_information_about_its_repository(hub):
    api, name = hub.api(), hub.repository()
    card = b"---\nlicense: mit\nlanguage: [ru, en]\ntags: [hubadapt]\npipeline_tag: text-generation\n---\n# Title\n"
    push(api, name, {"README.md": card})
    info = api.model_info(name, files_metadata=True)
    assert {"hubadapt", "license:mit", "ru"} <= set(info.tags)
    assert info.pipeline_tag == "text-generation"
    assert info.card_data["language"] == ["ru", "en"]
    assert {file.rfilename: file.size for file in info.siblings}["README.md"] == len(card)
    assert name in [found.id for found in api.list_models(filter="hubadapt")]


def test_a_card_with_broken_front_matter_is_refused_before_the_commit(hub):
    api, name = hub.api(), hub.repository()
    with pytest.raises((ValueError, BadRequestError)):
        push(api, name, {"README.md": b"---\nlicense: [\n---\n"})
    assert len(api.list_repo_commits(name)) == 1


def test_parameters_are_counted_from_the_weights(hub):
    api, name = hub.api(), hub.repository()
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}}).encode()
    push(api, name, {"model.safetensors": len(header).to_bytes(8, "little") + header + bytes(24)})
    push(api, name, {"not-really.safetensors": b"\0\1"})
    assert api.model_info(name).safetensors.parameters == {"BF16": 12}
    assert api.get_safetensors_metadata(name).parameter_count == {"BF16": 12}


def test_spaces_keep_their_sdk(hub):
    api = hub.api()
    api.create_repo("local/compare", repo_type="space", space_sdk="gradio")
    api.upload_file(path_or_fileobj=b"print(1)\n", path_in_repo="app.py", repo_id="local/compare", repo_type="space")
    assert api.space_info("local/compare").sdk == "gradio"
    assert api.get_space_runtime("local/compare").stage == "STOPPED"
    assert fetch(api, "local/compare", "app.py", repo_type="space") == b"print(1)\n"


def test_private_repositories_are_hidden_from_strangers(hub, tmp_path):
    api, name = hub.api(), hub.repository(private=True)
    push(api, name, {"secret.txt": b"secret"})
    stranger = hub.api(token=False)
    for refused in (
        lambda: stranger.model_info(name),
        lambda: stranger.list_repo_files(name),
        lambda: stranger.hf_hub_download(name, "secret.txt", cache_dir=tmp_path),
    ):
        with pytest.raises((RepositoryNotFoundError, LocalEntryNotFoundError)):
            refused()
    assert name not in [found.id for found in stranger.list_models()]
    assert name in [found.id for found in api.list_models()]
    api.update_repo_settings(name, private=False)
    assert stranger.model_info(name).private is False


def test_a_token_that_may_only_read_cannot_push(hub):
    name = hub.repository(private=True)
    reader = hub.api(token=hub.read_token)
    assert reader.whoami()["auth"]["accessToken"]["role"] == "read"
    assert reader.model_info(name).private
    for files in ({"a.txt": b"1"}, {"a.safetensors": b"\0" * 100}):
        with pytest.raises(HfHubHTTPError) as error:
            push(reader, name, files)
        assert error.value.response.status_code == 403


def test_a_wrong_token_is_refused_with_401(hub):
    with pytest.raises(HfHubHTTPError) as error:
        hub.api(token="hf_wrong").whoami()
    assert error.value.response.status_code == 401


def test_collections_tie_repositories_together(hub):
    api, name = hub.api(), hub.repository()
    made = api.create_collection("Кириллица: run 1", description="One run")
    again = api.create_collection("Кириллица: run 1", exists_ok=True)
    assert again.slug == made.slug
    api.add_collection_item(made.slug, name, "model", note="the result")
    api.add_collection_item(made.slug, name, "model", exists_ok=True)
    found = api.get_collection(made.slug)
    assert [(item.item_id, item.item_type, item.note) for item in found.items] == [(name, "model", "the result")]
    api.delete_collection_item(made.slug, found.items[0].item_object_id)
    assert api.get_collection(made.slug).items == []
    assert made.slug in [one.slug for one in api.list_collections(owner="local")]


def test_a_tree_of_more_than_a_page_is_listed_whole(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {f"data/{number:04}.txt": str(number).encode() for number in range(1005)})
    assert len(api.list_repo_files(name)) == 1006
    few = api.get_paths_info(name, ["data/0000.txt", "data", "absent"], expand=True)
    assert [entry.path for entry in few] == ["data/0000.txt", "data"]
    assert few[0].last_commit.title == "Add files"


def test_files_can_be_read_piecewise_through_the_file_system(hub):
    api, name = hub.api(), hub.repository()
    content = make_bytes(1_000_000, seed=6)
    push(api, name, {"big.safetensors": content})
    files = HfFileSystem(endpoint=hub.endpoint, token=hub.token)
    with files.open(f"{name}/big.safetensors", "rb", block_size=4096) as file:
        file.seek(700_000)
        assert file.read(100) == content[700_000:700_100]


def test_everything_survives_a_restart(start, tmp_path):
    content = make_bytes(200_000, seed=7)
    with start(tmp_path / "hub") as hub:
        hub.api().create_repo("local/kept", private=True)
        push(hub.api(), "local/kept", {"model.safetensors": content, "a.txt": b"1"})
        slug = hub.api().create_collection("Kept").slug
        sha, token = hub.api().model_info("local/kept").sha, hub.token
    with start(tmp_path / "hub") as hub:
        assert hub.token == token
        assert hub.api().model_info("local/kept").sha == sha
        assert hub.api().model_info("local/kept").private
        assert fetch(hub.api(), "local/kept", "model.safetensors", cache_dir=tmp_path) == content
        assert hub.api().get_collection(slug).title == "Kept"
        push(hub.api(), "local/kept", {"a.txt": b"2"})


def test_another_data_folder_at_the_same_address_gets_what_the_first_one_has(start, tmp_path):
    content = make_bytes(3_000_000, seed=9)
    port = 0
    for data in ("first", "second"):
        with start(tmp_path / data, port) as hub:
            port = int(hub.endpoint.rsplit(":", 1)[1])
            hub.api().create_repo("local/big")
            push(hub.api(), "local/big", {"model.safetensors": content})
            assert fetch(hub.api(), "local/big", "model.safetensors", cache_dir=tmp_path / f"{data}-cache") == content


@pytest.mark.slow
def test_a_file_of_several_xorbs_comes_back_and_needs_little_memory(start, tmp_path):
    content = make_bytes(200_000_000, seed=8)
    with start(tmp_path / "hub") as hub:
        hub.api().create_repo("local/big")
        push(hub.api(), "local/big", {"model.safetensors": content})
        assert fetch(hub.api(), "local/big", "model.safetensors", cache_dir=tmp_path) == content
