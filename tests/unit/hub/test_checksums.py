"""The list of checksums that lies beside each published model."""

from __future__ import annotations

from hubadapt.hub.checksums import CHECKSUMS, checksums, read_checksums
from hubadapt.hub.draft import prepare


def test_a_list_is_read_back_and_other_lines_are_files_that_nobody_has():
    hashes = {"model.safetensors": "a" * 64, "with  two spaces.json": "b" * 64}
    assert read_checksums(checksums(hashes)) == hashes
    assert read_checksums("rubbish\n") == {"rubbish": "rubbish"}


def test_each_model_has_a_list_of_what_its_stage_made_as_it_is_published_and_nothing_else_has(finished):
    plans = prepare(finished.out, "me").plans
    made = {artifact.name: artifact for artifact in finished.manifest.artifacts()}
    for plan in plans:
        uploads = {upload.path: upload for upload in plan.uploads}
        own = made.get(plan.name)
        assert (CHECKSUMS in uploads) == (own is not None and own.kind == "model")
        if CHECKSUMS in uploads:
            told = read_checksums(uploads[CHECKSUMS].text)
            assert told == {path: uploads[path].sha256 for path in told}
            assert told == {entry.path: entry.sha256 for entry in own.files}
