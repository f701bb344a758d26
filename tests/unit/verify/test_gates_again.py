"""Gates tried again on a published tokenizer: what was changed in it shows, what cannot be tried has a reason."""

from __future__ import annotations

import json
import shutil

import pytest

from hubadapt.errors import HubError
from hubadapt.verify.gates import gate_findings


def verdicts(folder, record, base) -> dict[str, str]:
    return {
        finding.what.removeprefix("faults, gate "): finding.verdict for finding in gate_findings(folder, record, base)
    }


@pytest.fixture
def changed(finished, tmp_path):
    """The published tokenizer with its tokenizer.json changed in place."""

    def make(change) -> object:
        folder = shutil.copytree(finished.out / "2-embed" / "model", tmp_path / "changed")
        content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        change(content)
        (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
        return verdicts(folder, finished.manifest, finished.folder / "base")

    return make


def swapped_ids(content) -> None:
    vocab = content["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]


def without_new_merges(content) -> None:
    content["model"]["merges"] = content["model"]["merges"][:-40]


def greedy_special(content) -> None:
    content["added_tokens"][0]["lstrip"] = True


@pytest.mark.parametrize(
    ("change", "gates"),
    [
        (swapped_ids, {"old-ids", "english"}),
        (without_new_merges, {"merges", "tokens"}),
        (greedy_special, {"special-tokens"}),
    ],
)
def test_a_changed_tokenizer_fails_the_gates_that_see_it(changed, change, gates):
    found = changed(change)
    assert gates <= {name for name, verdict in found.items() if verdict == "differs"}


def test_without_the_base_all_gates_are_open_together(finished):
    found = verdicts(finished.out / "2-embed" / "model", finished.manifest, "it is gone")
    assert found == {"14 gates of the tokenizer": "not measured"}


@pytest.mark.parametrize("facts", [{"gates": [1]}, {"gates": [{"name": "merges"}]}, {"old_size": "many"}], ids=str)
def test_facts_of_another_form_are_damage(finished, facts):
    stages = tuple(
        stage.model_copy(update={"facts": stage.facts | facts}) if stage.kind == "tokenizer" else stage
        for stage in finished.manifest.stages
    )
    record = finished.manifest.model_copy(update={"stages": stages})
    with pytest.raises(HubError, match="the record of the stage tokenizer is damaged at "):
        verdicts(finished.out / "2-embed" / "model", record, finished.folder / "base")
