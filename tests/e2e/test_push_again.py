"""Pushing again: what people wrote on the Hub is kept or stops the push, and nothing is half-published."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pico
import pytest
from huggingface_hub import HfApi

from hubadapt.errors import HubError, ManifestError
from hubadapt.hub.draft import prepare
from hubadapt.hub.owner_words import BEGIN
from hubadapt.hub.publish import publish
from hubadapt.lineage import Names


@pytest.fixture(scope="module")
def api(hub) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=hub.token)


@pytest.fixture
def run(finished_copy, request) -> pico.Workshop:
    """The finished run as it was after its third stage, under a name of its own: a source, a dataset and a model."""
    path = finished_copy.out / "hubadapt.json"
    record = json.loads(path.read_text("utf-8"))
    record |= {"stages": record["stages"][:3], "siblings": {}, "name": name_of(request)}
    record["licences"] = [link for link in record["licences"] if link["role"] != "sibling"]
    path.write_text(json.dumps(record), "utf-8")
    return finished_copy


@pytest.fixture
def whole_run(finished_copy, request) -> pico.Workshop:
    """The finished run under a name of its own."""
    finished_copy.rename(name_of(request))
    return finished_copy


def name_of(request) -> str:
    return request.node.name.removeprefix("test_")[:40].strip("_").replace("_", "-")


@pytest.fixture
def push(hub):
    """Push a run; what each address got."""

    def call(workshop, layout="repositories", **options):
        draft = prepare(workshop.out, "local", layout)
        return {done.id: done for done in publish(draft, token=hub.token, endpoint=hub.endpoint, **options)}

    return call


def read(api, id: str, path: str = "README.md", **options) -> str:
    return Path(api.hf_hub_download(id, path, **options)).read_text("utf-8")


def write(api, id: str, text: str, path: str = "README.md") -> str:
    return api.upload_file(path_or_fileobj=text.encode(), path_in_repo=path, repo_id=id).oid


def heads(api, run) -> dict[str, str]:
    found = [*api.list_models(author="local", search=run.manifest.name)]
    found += [*api.list_datasets(author="local", search=run.manifest.name)]
    found += [*api.list_spaces(author="local", search=run.manifest.name)]
    return {info.id: info.sha for info in found}


def test_words_between_the_marks_survive_every_push(run, push, api):
    push(run)
    name = f"local/{run.manifest.name}-embed"
    write(api, name, read(api, name).replace(f"{BEGIN}\n", f"{BEGIN}\n## Mine\n\nThanks to all.\n"))
    assert {done.files for done in push(run).values()} == {0}
    (run.out / "notes.md").write_text("Others.", "utf-8")
    push(run)
    assert "## Notes\n\nOthers.\n" in read(api, name)
    assert f"{BEGIN}\n## Mine\n\nThanks to all.\n" in read(api, name)


def test_an_edited_card_stops_before_anything_is_written(run, push, api):
    push(run)
    name = f"local/{run.manifest.name}-embed"
    edited = read(api, name).replace("## Lineage", "## Where it comes from")
    commit = write(api, name, edited)
    (run.out / "notes.md").write_text("New.", "utf-8")
    before, folder = heads(api, run), pico.listing(run.out)
    with pytest.raises(HubError) as caught:
        push(run)
    assert str(caught.value).splitlines() == [
        f"README.md of {name} (commit {commit[:12]}) on the Hub is neither what was pushed last nor what would be now.",
        f"Put words of yours between the two marks at a card's end, or into {run.out}/notes.md; what else was changed "
        f"is given up with --replace {commit[:12]}",
    ]
    assert (heads(api, run), pico.listing(run.out)) == (before, folder)
    with pytest.raises(HubError):
        push(run, replace=[before[f"local/{run.manifest.name}-source-base"]])
    push(run, replace=[commit[:12]])
    assert "## Lineage" in read(api, name)


def test_a_repository_that_is_not_ours_stops_before_the_first_commit(run, push, api):
    name = f"local/{run.manifest.name}-embed"
    api.create_repo(name)
    commit = write(api, name, "# Somebody's work")
    with pytest.raises(HubError) as caught:
        push(run, replace=[commit])
    assert caught.value.problem == (f"{name} (commit {commit[:12]}) exists and was not made by hubadapt.")
    assert list(heads(api, run)) == [name]
    assert not (run.out / "receipt.json").exists()


def test_a_file_that_changes_on_disk_while_it_is_published_is_not_published(run, hub, api):
    draft = prepare(run.out, "local")
    (run.out / "2-embed" / "model" / "generation_config.json").write_text("{}", "utf-8")
    with pytest.raises(ManifestError, match=r"generation_config\.json changed while it was published"):
        publish(draft, token=hub.token, endpoint=hub.endpoint)
    assert api.list_repo_files(f"local/{run.manifest.name}-embed") == [".gitattributes"]


def test_a_repository_that_somebody_makes_at_the_same_moment_is_theirs(run, push, api, monkeypatch):
    name, create_repo = f"local/{run.manifest.name}-embed", HfApi.create_repo

    def overtaken(self, repo_id, **options):
        done = create_repo(self, repo_id, **options)
        if repo_id == name:
            write(api, name, "# Somebody's work")
        return done

    monkeypatch.setattr(HfApi, "create_repo", overtaken)
    with pytest.raises(HubError, match="was made by someone else meanwhile"):
        push(run)
    assert read(api, name) == "# Somebody's work"


def test_a_commit_that_arrived_without_its_answer_is_found_again(run, push, api, monkeypatch):
    create_commit = HfApi.create_commit

    def cut(self, repo_id, *arguments, **options):
        done = create_commit(self, repo_id, *arguments, **options)
        if repo_id.endswith("-embed"):
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(HfApi, "create_commit", cut)
    with pytest.raises(KeyboardInterrupt):
        push(run)
    monkeypatch.undo()
    done = push(run)
    assert len(api.list_repo_commits(f"local/{run.manifest.name}-source-base")) == 2
    assert done[f"local/{run.manifest.name}-compare"].files == 4


def test_files_that_the_run_does_not_make_any_more_go(run, push, api):
    extra = run.out / "2-embed" / "model" / "old.json"
    extra.write_text("{}", "utf-8")
    path = run.out / "hubadapt.json"
    before = path.read_text("utf-8")
    record = json.loads(before)
    made = next(made for stage in record["stages"] for made in stage["artifacts"] if made["name"] == "embed")
    made["files"].append({"path": "old.json", "size": 2, "sha256": pico.listing(extra.parent)["old.json"]})
    path.write_text(json.dumps(record), "utf-8")
    push(run)
    name = f"local/{run.manifest.name}-embed"
    assert "old.json" in api.list_repo_files(name)
    path.write_text(before, "utf-8")
    push(run)
    assert "old.json" not in api.list_repo_files(name)
    assert {done.files for done in push(run).values()} == {0}


def test_as_revisions_each_branch_holds_its_own_form_alone(whole_run, push, api):
    name = f"local/{whole_run.manifest.name}"
    done = push(whole_run, "revisions")
    names = Names(whole_run.manifest, "local", "revisions")
    assert {names.address(made) for made in ("embed", "pretrain", "propagate-instruct")} <= {*done}
    assert {branch.name for branch in api.list_repo_refs(name).branches} == {"main", "embed"}
    for made in whole_run.manifest.artifacts():
        if made.kind == "model":
            there = api.repo_info(names[made.name], revision=names.revision(made.name), files_metadata=True)
            hashes = {file.rfilename: file.lfs.sha256 for file in there.siblings if file.lfs}
            weights = {file.path: file.sha256 for file in made.files if file.path.endswith(".safetensors")}
            assert weights.items() <= hashes.items()
            assert there.sha == done[names.address(made.name)].commit
    card = read(api, name)
    assert f"[{name}@embed](/{name}/tree/embed), revision `{done[f'{name}@embed'].commit}`" in card
    assert f"# {whole_run.manifest.name} (embed)" in read(api, name, revision="embed")
    assert {done.files for done in push(whole_run, "revisions").values()} == {0}


def test_private_models_get_no_space_even_when_the_flag_is_forgotten(run, push, api):
    name = f"local/{run.manifest.name}-compare"
    for options in ({"private": True}, {}):
        done = push(run, **options)[name]
        assert done.left_out == "its models are private, and a Space is given no token"
    assert not api.repo_exists(name, repo_type="space")
    assert api.model_info(f"local/{run.manifest.name}-embed").private


def test_a_hub_that_wants_money_for_a_space_gets_everything_else(run, push, api, monkeypatch):
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import httpx

    create_repo = HfApi.create_repo

    def refusing(self, repo_id, **options):
        if options.get("repo_type") == "space":
            request = httpx.Request("POST", "http://hub")
            raise HfHubHTTPError("Payment required", response=httpx.Response(402, request=request))
        return create_repo(self, repo_id, **options)

    monkeypatch.setattr(HfApi, "create_repo", refusing)
    name = f"local/{run.manifest.name}-compare"
    assert "paying accounts" in push(run)[name].left_out
    monkeypatch.undo()
    done = push(run)
    assert {id for id in done if done[id].files} - {id for id in done if done[id].type == "collection"} == {name}


def test_files_of_others_stay_but_for_those_that_libraries_would_load_and_changes_of_ours(run, push, api):
    push(run)
    name = f"local/{run.manifest.name}-embed"
    write(api, name, "x", "my_own_file.txt")
    commit = write(api, name, "{}", "adapter_config.json")
    with pytest.raises(HubError) as caught:
        push(run, replace=[commit])
    assert str(caught.value).splitlines() == [
        f"{name} (commit {commit[:12]}) holds adapter_config.json, which libraries would load beside or instead of "
        "what is pushed.",
        "Delete it on the Hub, or move it to another repository; then push again.",
    ]
    api.delete_file("adapter_config.json", name)
    write(api, name, "{}", "config.json")
    api.delete_file("README_ru.md", name)
    with pytest.raises(HubError, match=r"README_ru\.md and 1 more of "):
        push(run)
    push(run, replace=[api.model_info(name).sha])
    assert json.loads(read(api, name, "config.json"))["model_type"] == "llama"
    assert read(api, name, "my_own_file.txt") == "x"


def test_the_collection_keeps_its_order_and_what_the_owner_added(run, push, api):
    name = run.manifest.name
    done = push(run)
    (slug,) = [id for id in done if done[id].type == "collection"]
    wanted = [f"local/{name}-{part}" for part in ("corpus", "source-base", "embed", "compare")]
    collection = api.get_collection(slug)
    assert [item.item_id for item in collection.items] == wanted
    assert (collection.title, done[slug].files) == (name, 4)
    assert f"(/collections/{slug})" in read(api, f"local/{name}-compare", repo_type="space")
    api.delete_collection_item(slug, collection.items[1].item_object_id)
    api.add_collection_item(slug, "local/something-else", "model")
    assert push(run)[slug].files == 1
    assert [item.item_id for item in api.get_collection(slug).items] == [*wanted, "local/something-else"]
    api.delete_collection(slug)
    assert [again.files for again in push(run).values() if again.type == "collection"] == [4]


def test_an_unchanged_run_is_only_looked_at_and_a_lost_receipt_costs_nothing(run, push, api, monkeypatch):
    monkeypatch.setattr("hubadapt.hashes.time_ns", lambda: time.time_ns() + 10**10)  # all files are old
    push(run)
    before = heads(api, run)
    (run.out / "receipt.json").unlink()
    assert {done.files for done in push(run).values()} == {0}
    requests = []

    def counted(name):
        plain = getattr(HfApi, name)
        monkeypatch.setattr(HfApi, name, lambda self, *a, **o: (requests.append(name), plain(self, *a, **o))[1])

    for name in (
        "whoami", "repo_info", "get_collection", "create_repo", "create_commit", "create_collection", "create_branch",
        "hf_hub_download", "preupload_lfs_files", "list_repo_commits", "list_collections",
    ):  # fmt: skip
        counted(name)
    monkeypatch.setattr("hubadapt.hub.publish.git_blob", lambda upload: pytest.fail(upload.path))
    monkeypatch.setattr("hubadapt.hashes.hash_file", lambda path: pytest.fail(path.name))
    assert {done.files for done in push(run).values()} == {0}
    assert sorted(requests) == ["get_collection", *["repo_info"] * 4, "whoami"]
    assert heads(api, run) == before
