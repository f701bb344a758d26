"""Pull requests and discussions, as the real client makes and merges them."""

from __future__ import annotations

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError


def push(api, name, files, **options):
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return api.create_commit(name, operations, commit_message=options.pop("message", "Add files"), **options)


def read(api, name, path, **options):
    with open(api.hf_hub_download(name, path, **options), "rb") as file:
        return file.read()


def test_a_commit_as_a_pull_request_waits_beside_main_until_it_is_merged(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"a.txt": b"1", "old.txt": b"1"})
    before = api.model_info(name).sha
    operations = [CommitOperationAdd("b.safetensors", b"\0" * 5000), CommitOperationDelete("old.txt")]
    made = api.create_commit(name, operations, commit_message="Propose", commit_description="Because", create_pr=True)
    assert (made.pr_num, made.pr_revision) == (1, "refs/pr/1")
    assert api.model_info(name).sha == before
    assert read(api, name, "b.safetensors", revision="refs/pr/1") == b"\0" * 5000
    assert {"a.txt", "b.safetensors"} < set(api.list_repo_files(name, revision="refs/pr/1"))
    found = api.get_discussion_details(name, 1)
    assert (found.title, found.status, found.target_branch) == ("Propose", "open", "refs/heads/main")
    assert (found.is_pull_request, found.conflicting_files, found.merge_commit_oid) == (True, [], None)
    assert "oid sha256:" in found.diff
    assert [event.type for event in found.events if event.type == "commit"] == ["commit"]
    api.merge_pull_request(name, 1, comment="Thanks")
    found = api.get_discussion_details(name, 1)
    assert (found.status, found.merge_commit_oid) == ("merged", api.model_info(name).sha)
    assert found.events[-1].content == "Thanks"
    assert read(api, name, "b.safetensors") == b"\0" * 5000
    assert "old.txt" not in api.list_repo_files(name)
    newest = api.list_repo_commits(name)[0]
    assert newest.title == "Propose (#1)"
    assert made.oid in newest.message
    with pytest.raises(HfHubHTTPError) as error:
        api.merge_pull_request(name, 1)
    assert error.value.response.status_code == 409


def test_a_pull_request_grows_by_commits_to_its_reference(hub, tmp_path):
    api, name = hub.api(), hub.repository()
    pull = api.create_pull_request(name, "Work in progress", description="Soon")
    assert (pull.status, pull.git_reference) == ("draft", "refs/pr/1")
    push(api, name, {"a.txt": b"1"}, revision="refs/pr/1", message="One")
    push(api, name, {"b.txt": b"2"}, revision="refs/pr/1", message="Two")
    assert api.list_repo_refs(name, include_pull_requests=True).pull_requests[0].ref == "refs/pr/1"
    events = api.get_discussion_details(name, 1).events
    assert {event.summary for event in events if event.type == "commit"} == {"One", "Two"}
    assert api.change_discussion_status(name, 1, "open").new_status == "open"
    api.merge_pull_request(name, 1)
    assert {"a.txt", "b.txt"} < set(api.list_repo_files(name))
    with pytest.raises(HfHubHTTPError):
        push(api, name, {"c.txt": b"3"}, revision="refs/pr/1")
    (tmp_path / "d.txt").write_text("folder")
    url = api.upload_folder(repo_id=name, folder_path=tmp_path, create_pr=True).pr_url
    assert url == f"{hub.endpoint}/{name}/discussions/2"


def test_files_changed_on_both_sides_are_a_conflict_that_stops_the_merge(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"a.txt": b"0", "b.txt": b"0"})
    push(api, name, {"a.txt": b"theirs", "new.odd": b"\0" * 11_000_000}, create_pr=True)
    push(api, name, {"a.txt": b"ours", "b.txt": b"ours", "other.odd2": b"\1" * 11_000_000})
    assert api.get_discussion_details(name, 1).conflicting_files == ["a.txt"]
    head = api.model_info(name).sha
    with pytest.raises(HfHubHTTPError) as error:
        api.merge_pull_request(name, 1)
    assert error.value.response.status_code == 409
    assert "a.txt" in str(error.value)
    assert api.model_info(name).sha == head
    push(api, name, {"a.txt": b"ours"}, revision="refs/pr/1")
    api.merge_pull_request(name, 1)
    assert (read(api, name, "a.txt"), read(api, name, "b.txt")) == (b"ours", b"ours")
    rules = read(api, name, ".gitattributes")
    assert b"new.odd filter=lfs" in rules
    assert b"other.odd2 filter=lfs" in rules


def test_discussions_are_held_closed_renamed_and_listed(hub):
    api, name = hub.api(), hub.repository(repo_type="dataset")
    of = {"repo_id": name, "repo_type": "dataset"}
    api.create_discussion(**of, title="Which licence?", description="Text")
    push(api, name, {"a.txt": b"1"}, repo_type="dataset", create_pr=True, message="A file")
    said = api.comment_discussion(**of, discussion_num=1, comment="Привет")
    edited = api.edit_discussion_comment(**of, discussion_num=1, comment_id=said.id, new_content="Other")
    assert (edited.content, edited.edited, edited.number_of_edits) == ("Other", True, 1)
    with pytest.warns(UserWarning, match="irreversible"):
        assert api.hide_discussion_comment(**of, discussion_num=1, comment_id=said.id).hidden
    assert "Other" not in str(api.get_discussion_details(**of, discussion_num=1).events)
    assert api.rename_discussion(**of, discussion_num=1, new_title="Licence").old_title == "Which licence?"
    assert api.change_discussion_status(**of, discussion_num=1, new_status="closed").new_status == "closed"
    listed = list(api.get_repo_discussions(**of))
    assert [(one.num, one.is_pull_request, one.status) for one in listed] == [(2, True, "open"), (1, False, "closed")]
    assert [one.num for one in api.get_repo_discussions(**of, discussion_type="discussion")] == [1]
    assert [one.num for one in api.get_repo_discussions(**of, discussion_status="open")] == [2]
    with pytest.raises(HfHubHTTPError) as error:
        api.merge_pull_request(**of, discussion_num=1)
    assert error.value.response.status_code == 409


def test_a_pull_request_from_an_older_commit_keeps_what_main_got_since(hub):
    api, name = hub.api(), hub.repository()
    old = push(api, name, {"a.txt": b"1"}).oid
    push(api, name, {"b.txt": b"2"})
    push(api, name, {"c.txt": b"3"}, create_pr=True, parent_commit=old)
    assert "b.txt" not in api.list_repo_files(name, revision="refs/pr/1")
    api.merge_pull_request(name, 1)
    assert {"a.txt", "b.txt", "c.txt"} < set(api.list_repo_files(name))


def test_a_pull_request_that_does_not_fit_is_not_opened(hub):
    api, name = hub.api(), hub.repository()
    with pytest.raises(EntryNotFoundError):
        api.create_commit(name, [CommitOperationDelete("absent")], commit_message="No", create_pr=True)
    assert list(api.get_repo_discussions(name)) == []
    assert api.list_repo_refs(name, include_pull_requests=True).pull_requests == []


def test_pull_requests_of_private_repositories_are_hidden_and_readers_open_none(hub):
    api, name = hub.api(), hub.repository(private=True)
    push(api, name, {"a.txt": b"1"}, create_pr=True)
    assert hub.ask(f"/api/models/{name}/discussions").status == 404
    assert hub.ask(f"/api/models/{name}/discussions/1").status == 404
    assert hub.ask(f"/{name}/discussions/1").status == 404
    assert hub.post(f"/api/models/{name}/discussions/1/merge", {}, token=hub.read_token).status == 403
    assert hub.post(f"/api/models/{name}/discussions", {"title": "x"}, token=hub.read_token).status == 403


def test_the_page_of_a_pull_request_shows_its_text_without_running_any_of_it(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"<b>.txt": b"<i>x</i>\n"}, create_pr=True, message="<script>alert(1)</script>")
    page = hub.ask(f"/{name}/discussions/1").body.decode()
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "&lt;i&gt;x" in page
    assert f"/{name}/discussions/1" in hub.ask(f"/{name}/discussions").body.decode()


def test_a_squashed_history_has_one_commit_with_the_same_files(hub):
    api, name = hub.api(), hub.repository()
    push(api, name, {"a.txt": b"1"})
    push(api, name, {"b.txt": b"2"})
    files = api.list_repo_files(name)
    api.super_squash_history(name, commit_message="One")
    assert [commit.title for commit in api.list_repo_commits(name)] == ["One"]
    assert api.list_repo_files(name) == files
