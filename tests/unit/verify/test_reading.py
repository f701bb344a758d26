"""What is compared with a published model; a stand-in for the reading process answers what the test wants."""

from __future__ import annotations

import json

import pytest

from hubadapt.errors import HubError
from hubadapt.lineage import Names
from hubadapt.types import Manifest
from hubadapt.verify.reading import verify_published


@pytest.fixture
def verify(finished, tmp_path):
    """Verify the finished run's `pretrain` against what the stand-in answers, changed in these keys."""
    manifest: Manifest = finished.manifest
    record = next(record for record in manifest.stages if record.kind == "evaluate")
    probe = record.facts["probes"]["pretrain"]
    kept = record.model_copy(update={"facts": {"probes": {"base": probe, "pretrain": probe}}})
    stages = tuple(kept if other is record else other for other in manifest.stages)
    manifest = manifest.model_copy(update={"stages": stages})

    def call(*, status: int = 0, **changes: object) -> dict[str, float]:
        answer = {"ids": probe["ids"], "top_logits": probe["top_logits"], **changes}
        script = tmp_path / "reader"
        script.write_text(f"#!/bin/sh\necho noise\necho '{json.dumps(answer)}'\necho broken >&2\nexit {status}\n")
        script.chmod(0o755)
        return verify_published(manifest, Names(manifest, "me"), endpoint="http://hub", python=str(script))

    call.probe = probe
    return call


def test_equal_ids_and_logits_pass_and_sources_are_left_out(verify):
    assert verify() == {"pretrain": 0.0}


def test_logits_within_rounding_pass_and_their_difference_is_told(verify):
    close = [value + 5e-4 for value in verify.probe["top_logits"]]
    assert verify(top_logits=close) == {"pretrain": pytest.approx(5e-4)}


def test_other_ids_logits_or_a_model_that_does_not_load_are_refused(verify):
    with pytest.raises(HubError, match="me/pico-ru-pretrain gives other ids than the run recorded"):
        verify(ids=[1, 2, 3])
    with pytest.raises(HubError, match=r"gives logits that differ by 0\.5"):
        verify(top_logits=[value + 0.5 for value in verify.probe["top_logits"]])
    with pytest.raises(HubError, match="me/pico-ru-pretrain cannot be loaded from http://hub: broken"):
        verify(status=1)
