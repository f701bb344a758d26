"""The collection: what it holds, in which order, and what it says of itself."""

from __future__ import annotations

import pytest

from hubadapt.hub.draft import draft


@pytest.mark.parametrize(
    ("layout", "models"),
    [
        ("repositories", ["source-base", "embed", "pretrain", "source-instruct", "propagate-instruct"]),
        ("revisions", ["source-base", "", "source-instruct", "instruct"]),
    ],
)
def test_data_come_first_then_the_base_and_its_forms_then_siblings_and_theirs_then_the_space(finished, layout, models):
    plan = draft(finished.out, "me", layout).collection
    assert [(item.type, item.id) for item in plan.items] == [
        ("dataset", "me/pico-ru-corpus"),
        *(("model", f"me/pico-ru-{name}" if name else "me/pico-ru") for name in models),
        ("space", "me/pico-ru-compare"),
    ]


def test_it_is_called_as_the_run_and_says_what_it_is_as_far_as_a_hub_has_room(finished):
    run = draft(finished.out, "me").collection
    assert (run.namespace, run.title) == ("me", "pico-ru")
    assert run.description == "me/pico-ru-source-base with a vocabulary for Russian: models, data and a comparison."
    long = draft(finished.out, "m" * 90).collection
    assert len(long.description) <= 150
