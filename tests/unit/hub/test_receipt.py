"""The receipt: what went where, for every Hub, kept over pushes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.errors import ManifestError
from hubadapt.hub.receipt import Entry, Receipt, SentFile, read_receipt

names = st.sampled_from(["a", "b"])
entries = st.builds(
    Entry, endpoint=names, type=st.sampled_from(["model", "collection"]), id=names.map("me/{}".format), revision=names,
    name=names, commit=names, files=st.dictionaries(names, st.builds(SentFile, there=names, sha256=names)),
    words=st.dictionaries(names, st.text()),
)  # fmt: skip


@given(st.lists(entries, max_size=6))
def test_the_last_entry_for_a_branch_is_found_again_and_all_others_stay(tmp_path_factory, made):
    run = tmp_path_factory.mktemp("run")
    receipt = read_receipt(run)
    for entry in made:
        receipt = receipt.with_entry(entry)
    assert read_receipt(run) == receipt
    last = {entry.key: entry for entry in made}
    assert {*map(str, receipt.entries)} == {*map(str, last.values())}
    assert all(receipt.find(entry) == last[entry.key] for entry in made)


def test_the_same_name_on_another_hub_or_branch_is_another_entry(tmp_path):
    one = Entry(endpoint="http://a", type="model", id="me/x", commit="1")
    others = [
        one.model_copy(update=change)
        for change in ({"endpoint": "http://b"}, {"type": "dataset"}, {"id": "you/x"}, {"revision": "embed"})
    ]
    receipt = Receipt(tmp_path).with_entry(one)
    assert [receipt.find(other) for other in others] == [None] * 4


def test_a_collection_is_known_by_owner_and_title(tmp_path):
    made = Entry(endpoint="", type="collection", id="me/run-0123", name="run")
    receipt = Receipt(tmp_path).with_entry(made)
    assert receipt.find(made.model_copy(update={"id": "me/"})) == made
    assert receipt.find(made.model_copy(update={"id": "you/"})) is None
    assert receipt.find(made.model_copy(update={"name": "other"})) is None


def test_an_entry_that_says_nothing_new_is_not_written(tmp_path):
    entry = Entry(endpoint="", type="model", id="me/x")
    receipt = Receipt(tmp_path).with_entry(entry)
    (tmp_path / "receipt.json").unlink()
    receipt.with_entry(entry)
    assert not (tmp_path / "receipt.json").exists()


@pytest.mark.parametrize("content", ["", "{", "{}", '[{"id": "me/x"}]', '[{"id": "me/x", "files": 3}]'])
def test_a_damaged_receipt_is_named(tmp_path, content):
    (tmp_path / "receipt.json").write_text(content, "utf-8")
    with pytest.raises(ManifestError, match=r"receipt\.json is damaged") as caught:
        read_receipt(tmp_path)
    assert caught.value.hint == "Delete it, and push again: what is on the Hub already is not sent twice."
