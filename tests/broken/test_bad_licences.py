"""Licences that are missing or do not fit: told before a run, and no push until the owner mends or decides it."""

from __future__ import annotations

import json

import pico
import pytest

from hubadapt.types import Manifest

DECIDE = 'record your decision in the recipe: `license_decisions: {base: "your reason"}`.'


def forget_the_licence(workshop: pico.Workshop) -> None:
    (workshop.folder / "base" / "README.md").unlink()


def test_check_tells_of_a_base_without_a_licence_after_its_estimate(cli, workshop):
    forget_the_licence(workshop)
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1 and "in all" in outcome.out
    assert outcome.err.splitlines() == [
        "the base ./base names no licence.",
        f"Write `license:` between --- lines into its README.md, or {DECIDE}",
    ]


def test_check_reads_the_licences_of_rows(cli, workshop):
    rows = [{"text": text, "license": "CC-BY-NC-4.0", "source": "blog"} for text in pico.russian()]
    (workshop.folder / "ru.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    outcome = cli("check", workshop.recipe)
    assert outcome.err.splitlines()[0] == (
        "models are trained on text of blog under cc-by-nc-4.0 (non-commercial), and published as apache-2.0."
    )
    workshop.content["license_decisions"] = {"blog": "I wrote it myself."}
    assert cli("check", workshop.write()).code == 0


@pytest.fixture
def pushed(cli, at_hub, hub, finished_copy):
    """Push, or only say what a push would do, after the run was brought up to date with its recipe."""

    def call(*options: str) -> pico.Outcome:
        finished_copy.write()
        finished_copy.run()
        assert finished_copy.ran() == []
        with at_hub(hub.endpoint, hub.token):
            return cli("push", finished_copy.out, "--to", "local", *options)

    return call


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["push", "dry run"])
def test_a_push_stops_until_the_licence_fits_or_the_owner_has_decided(pushed, finished_copy, options):
    finished_copy.content |= {"name": "licensed", "license": "cc0-1.0"}
    outcome = pushed(*options)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        "the base ./base is under apache-2.0 (permissive), which does not become cc0-1.0.",
        f"Write `license: apache-2.0` into the recipe, or {DECIDE}",
        "the sibling instruct ./sibling is under apache-2.0 (permissive), which does not become cc0-1.0.",
        f"Write `license: apache-2.0` into the recipe, or {DECIDE.replace('base', 'instruct')}",
    ]
    assert not (finished_copy.out / "receipt.json").exists()
    finished_copy.content["license_decisions"] = {"apache-2.0": "Both are *mine* | I give them away."}
    outcome = pushed("--dry-run")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_decision_stands_in_the_card_as_it_was_written(cli, pushed, finished_copy):
    finished_copy.content |= {"license": "cc0-1.0", "license_decisions": {"apache-2.0": "Both are *mine*."}}
    assert pushed("--dry-run").code == 0
    assert cli("card", finished_copy.out, "--to", "local").code == 0
    card = (finished_copy.out / "cards" / "pico-ru-pretrain.md").read_text("utf-8")
    assert "license: cc0-1.0\n" in card and "published under cc0-1.0" in card
    assert "* apache-2.0: Both are *mine*.\n" in card


def test_a_decision_that_covers_nothing_stops_a_push(pushed, finished_copy):
    finished_copy.content["license_decisions"] = {"bass": "Mine."}
    assert pushed().err.splitlines() == [
        "license_decisions names 'bass', which is neither a source nor a licence of this run.",
        "Did you mean 'base'?",
    ]


def test_a_record_without_a_licence_chain_is_brought_up_to_date_first(cli, finished_copy):
    path = finished_copy.out / "hubadapt.json"
    old = Manifest.model_validate_json(path.read_text("utf-8")).model_copy(update={"licences": ()})
    path.write_text(old.model_dump_json(), "utf-8")
    assert cli("push", finished_copy.out, "--to", "local").err.splitlines() == [
        f"the record of {finished_copy.out} holds no licence chain.",
        f"Bring it up to date: hubadapt run RECIPE.yaml --out {finished_copy.out}",
    ]
    finished_copy.run()
    assert finished_copy.ran() == [] and finished_copy.manifest.licences


def test_cards_can_be_looked_at_before_anything_is_decided(cli, finished_copy):
    finished_copy.content["license"] = "gpl-3.0"
    finished_copy.content["stages"][0]["corpus"]["sources"][1]["license"] = "cc-by-nd-4.0"
    finished_copy.write()
    assert cli("card", finished_copy.out).code == 0


def test_a_base_under_terms_of_its_own_is_followed_under_their_name(cli, workshop):
    terms = "---\nlicense: other\nlicense_name: own-terms-1.0\nlicense_link: LICENSE\n---\n"
    (workshop.folder / "base" / "README.md").write_text(terms, "utf-8")
    assert "is under 'own-terms-1.0', of which hubadapt knows nothing." in cli("check", workshop.recipe).err
    workshop.content |= {
        "license": "other", "license_name": "own-terms-1.0", "license_link": "https://example.org/terms",
    }  # fmt: skip
    assert cli("check", workshop.write()).code == 0
