"""What a card says of a propagation: figures of held-out rows, tokens of its own, a body that an adapter changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubadapt.card import model_card
from hubadapt.lineage import Names
from hubadapt.types import Manifest

GOLDEN = Path(__file__).parents[2] / "golden" / "hubadapt.json"


def card(**changes: object) -> str:
    """The sibling's card, with some facts of its propagation changed."""
    manifest = Manifest.model_validate_json(GOLDEN.read_text("utf-8"))
    stages = []
    for record in manifest.stages:
        if record.kind == "propagate":
            facts = {"instruct": {**record.facts["instruct"], **changes}}
            record = record.model_copy(update={"facts": facts})
        stages.append(record)
    manifest = manifest.model_copy(update={"stages": tuple(stages)})
    made = next(it for it in manifest.artifacts() if it.name == "propagate-instruct")
    return model_card(manifest, made, Names(manifest, "someone"))


def table(**figures: object) -> dict[str, dict[str, object]]:
    common = {"form": "swap", "ridge": 0.0, "shift": 0.25, "distance": 0.0, "rows": 400, "kept": 300, "projected": 80}
    return {"model.embed_tokens.weight": {**common, **figures}}


def test_a_form_without_a_map_tells_how_far_the_sibling_moved():
    text = card(tables=table(form="delta"))
    assert "`model.embed_tokens.weight`: delta; the sibling's rows differ from the base's by 0.25 of their norm" in text
    assert "on 400 rows; 300 rows are the sibling's own bit for bit, 80 are made of the adapted base's" in text


def test_a_fitted_form_tells_its_figures_and_those_of_what_was_tried():
    fitted = {"form": "ridge", "ridge": 0.01, "residual": 0.125, "condition": 7.5, "distance": 0.5}
    text = card(tables=table(**fitted, held_out={"swap": 0.5, "ridge 0.01": 0.25}))
    assert (
        ": ridge 0.01, map fitted on 400 rows, relative residual 0.125 (plain swap: 0.25), condition number 7.5" in text
    )
    assert "‖M − I‖/√D 0.5" in text
    assert "Relative residual on rows held out: swap 0.5, ridge 0.01 0.25\n" in text


@pytest.mark.parametrize(("tensors", "said"), [(0, "the body is untouched."), (14, "is added to its own.")])
def test_the_first_lines_say_whether_the_body_changed(tensors, said):
    text = card(body_tensors=tensors)
    assert f"Learned Embedding Propagation (LEP); {'' if tensors == 0 else 'what an adapter changed'}" in text
    assert said in text
    assert ("the adapter's change, times 1, is added to 14 tensors of its body" in text) == bool(tensors)


def test_tokens_of_its_own_are_counted():
    assert "keeps 3 added tokens that the base lacks, 1 of them with ids past the new" in card(own_tokens=3, appended=1)
    assert "keeps 3 added tokens that the base lacks\n" in card(own_tokens=3, appended=0)
    assert "that the base lacks" not in card(own_tokens=0)
