"""What a push would change and what others have changed, from values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.hub.changes import changed, git_blob, removed, standing
from hubadapt.hub.owner_words import END, with_room, with_words
from hubadapt.hub.plan import Remote, RemoteFile, RepositoryPlan, Upload
from hubadapt.hub.receipt import Entry, SentFile
from hubadapt.manifest import hash_bytes

names = st.sampled_from("abcde")
files = st.dictionaries(names, st.text(max_size=3), max_size=5)


def upload(path: str, text: str) -> Upload:
    return Upload(path, len(text.encode()), hash_bytes(text.encode()), text=text)


def plan_of(content: dict[str, str]) -> RepositoryPlan:
    return RepositoryPlan("x", "me/x", "model", tuple(upload(path, text) for path, text in content.items()), "")


def remote_of(content: dict[str, str], large: set[str] = frozenset()) -> Remote:
    there = {
        path: RemoteFile("pointer", hash_bytes(text.encode()))
        if path in large
        else RemoteFile(git_blob(upload(path, text)), None)
        for path, text in content.items()
    }
    return Remote("c" * 40, there)


def receipt_of(content: dict[str, str], large: set[str] = frozenset(), words: dict[str, str] | None = None) -> Entry:
    there = remote_of({path: with_words(text, (words or {}).get(path, "")) for path, text in content.items()}, large)
    sent = {
        path: SentFile(there=there.files[path].content, sha256=hash_bytes(text.encode()))
        for path, text in content.items()
    }
    return Entry(endpoint="", type="model", id="me/x", commit="1" * 40, files=sent, words=words or {})


def stands(here: dict[str, str], there: dict[str, str], last: Entry | None, large: set[str] = frozenset()):
    return standing(plan_of(here), remote_of(there, large), last, read=there.__getitem__, blob_of=git_blob)


@given(files, files, st.sets(names), st.none() | files)
def test_exactly_what_differs_is_sent_whatever_the_receipt_says(here, there, large, published):
    last = None if published is None else receipt_of(published, large)
    remote = remote_of(there, large)
    sent = changed(plan_of(here), remote, last, words={}, blob_of=git_blob)
    assert {file.path for file in sent} == {path for path, text in here.items() if there.get(path) != text}


@given(files, st.sets(names))
def test_with_a_receipt_of_it_nothing_is_hashed_to_see_that_nothing_changed(content, large):
    def never(file: Upload) -> str:
        raise AssertionError(file.path)

    remote, last = remote_of(content, large), receipt_of(content, large)
    assert changed(plan_of(content), remote, last, words={}, blob_of=never) == ()
    found = standing(plan_of(content), remote, last, read=content.__getitem__, blob_of=never)
    assert (found.edited, found.foreign) == ((), False)


@given(files, files, files)
def test_edited_is_what_is_neither_as_it_was_published_nor_as_it_would_be(here, there, published):
    found = stands(here, there, receipt_of(published))
    assert {*found.edited} == {
        path
        for path in {*here, *published}
        if there.get(path) != published.get(path) and there.get(path) != here.get(path)
    }


@given(files, files, files)
def test_only_our_own_files_are_ever_deleted(here, there, published):
    gone = removed(plan_of(here), remote_of(there), receipt_of(published))
    assert {*gone} == {*published} & {*there} - {*here}
    assert removed(plan_of(here), remote_of(there), None) == ()


CARD = with_room("---\ntags: [hubadapt]\n---\n\n# X\n")
OTHER = with_room("---\ntags: [hubadapt]\n---\n\n# X\n\nAnother number.\n")


@pytest.mark.parametrize("now", [CARD, OTHER], ids=["unchanged", "changed"])
@pytest.mark.parametrize("before", ["", "Earlier words.\n"])
def test_words_written_between_the_marks_are_kept_and_are_no_edit(now, before):
    last = receipt_of({"README.md": CARD}, words={"README.md": before} if before else {})
    there = {"README.md": with_words(CARD, "My own words.\n")}
    found = stands({"README.md": now}, there, last)
    assert (found.edited, dict(found.words)) == ((), {"README.md": "My own words.\n"})
    sent = changed(plan_of({"README.md": now}), remote_of(there), last, words=found.words, blob_of=git_blob)
    assert [file.text for file in sent] == ([] if now == CARD else [with_words(OTHER, "My own words.\n")])


def test_words_of_the_last_push_stay_without_reading_them_again():
    last = receipt_of({"README.md": CARD}, words={"README.md": "Mine.\n"})
    remote = remote_of({"README.md": with_words(CARD, "Mine.\n")})
    found = standing(plan_of({"README.md": OTHER}), remote, last, read={}.__getitem__, blob_of=git_blob)
    assert dict(found.words) == {"README.md": "Mine.\n"}
    (sent,) = changed(plan_of({"README.md": OTHER}), remote, last, words=found.words, blob_of=git_blob)
    assert sent.text == with_words(OTHER, "Mine.\n")
    assert (sent.size, sent.sha256) == (len(sent.text.encode()), hash_bytes(sent.text.encode()))


def test_words_that_were_taken_out_are_not_put_back():
    last = receipt_of({"README.md": CARD}, words={"README.md": "Mine.\n"})
    found = stands({"README.md": CARD}, {"README.md": CARD}, last)
    assert (found.edited, dict(found.words)) == ((), {})


@pytest.mark.parametrize("edit", [("# X", "# Y"), (END, ""), ("\n", "\r\n")])
def test_any_other_edit_of_a_card_is_one_and_the_words_are_still_known(edit):
    there = {"README.md": with_words(CARD, "Mine.\n").replace(*edit)}
    found = stands({"README.md": OTHER}, there, receipt_of({"README.md": CARD}))
    assert found.edited == ("README.md",)
    assert dict(found.words) == ({} if edit[0] == END else {"README.md": "Mine.\n".replace(*edit)})


def test_without_a_receipt_a_card_of_ours_that_we_would_publish_again_is_no_edit():
    there = {"README.md": with_words(CARD, "Mine.\n"), "more.txt": "x"}
    found = stands({"README.md": CARD}, there, None)
    assert (found.edited, found.foreign, dict(found.words)) == ((), False, {"README.md": "Mine.\n"})
    assert stands({"README.md": OTHER}, there, None).edited == ("README.md",)


@pytest.mark.parametrize(
    "there",
    [{"README.md": "# X"}, {"README.md": "---\ntags: [a]\n---\n"}, {"README.md": "---\n{\n---\n"}, {"model.bin": ""},
     {"README.md": "---\ntags: hubadapt\n---\n"}],
)  # fmt: skip
def test_a_repository_without_receipt_and_without_our_tag_is_foreign(there):
    assert stands({"README.md": CARD}, there, None).foreign


@pytest.mark.parametrize("there", [{}, {".gitattributes": "*.bin filter=lfs"}])
def test_an_empty_repository_is_anybodys(there):
    assert not stands({"README.md": CARD}, there, None).foreign


def test_what_the_hub_put_into_a_repository_that_we_made_is_no_edit():
    made = Entry(endpoint="", type="space", id="me/x")
    found = stands({"README.md": CARD}, {"README.md": "---\nsdk: gradio\n---\n"}, made)
    assert (found.edited, found.foreign) == ((), False)
