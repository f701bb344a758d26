"""`hubadapt new` writes a recipe that `hubadapt check` accepts."""

from __future__ import annotations

import json
import os

import pico
import pytest
import yaml

from hubadapt.recipe import read_recipe
from hubadapt.tokenizer.scripts import OWN_SCRIPTS


@pytest.fixture
def here(workshop, monkeypatch):
    monkeypatch.chdir(workshop.folder)
    workshop.recipe.unlink()
    return workshop


def test_a_starter_recipe_passes_the_check(cli, here):
    pico.write_sibling(here.folder / "base", here.folder / "tune")
    new = cli("new", "./base", "ru", "--sibling", "./tune", "--text", "ru.jsonl", "--license", "mit",
              "--text-license", "cc0-1.0")  # fmt: skip
    assert new == pico.Outcome(0, "Wrote recipe.yaml. Next: hubadapt check recipe.yaml\n", "")
    check = cli("check", "recipe.yaml")
    assert (check.code, check.err) == (0, "")
    lines = [line.split()[0] for line in check.out.splitlines()]
    assert lines == [
        "base",
        "instruct",
        "corpus",
        "tokenizer",
        "embed",
        "pretrain",
        "propagate",
        "evaluate",
        "sample",
        "in",
    ]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("HuggingFaceTB/SmolLM2-135M", "smollm2-135m-el"), ("Qwen/Qwen2.5-0.5B@main", "qwen2.5-0.5b-el"),
        ("./My Model (v2)/", "my-model-v2-el"), ("./a--b_", "a-b-el"), (".", "el"), ("../модель", "el"),
    ],
)  # fmt: skip
def test_any_base_gives_a_name_that_a_repository_can_have(cli, here, model, name):
    cli("new", model, "el", "--license", "mit", "--text-license", "mit", "--out", "r.yaml")
    assert read_recipe(here.folder / "r.yaml").name == name


@pytest.mark.parametrize("language", sorted(OWN_SCRIPTS))
def test_every_language_gives_a_readable_recipe(cli, here, language):
    assert cli("new", "a/b", language, "--license", "mit", "--text-license", "mit", "--out", "r.yaml").code == 0
    recipe = read_recipe(here.folder / "r.yaml")
    assert recipe.language == language


@pytest.mark.parametrize("value", ["no", "1.0", "a: b", 'say "x"', "# x", "ё'"])
def test_odd_words_are_quoted(cli, here, value):
    assert cli("new", value, "ru", "--license", "mit", "--text-license", value, "--text", value).code == 0
    content = yaml.safe_load(here.recipe.read_text("utf-8"))
    source = content["stages"][0]["corpus"]["sources"][0]
    assert [content["base"], source["path"], source["license"]] == [value] * 3


def test_an_existing_recipe_is_left_alone(cli, here):
    here.recipe.write_text("mine")
    outcome = cli("new", "./base", "ru", "--license", "mit", "--text-license", "mit")
    assert (outcome.code, outcome.err) == (1, "recipe.yaml exists already.\nChoose another file: --out other.yaml\n")
    assert here.recipe.read_text() == "mine"


def test_an_unknown_language_is_refused(cli, here):
    outcome = cli("new", "./base", "tlh", "--license", "mit", "--text-license", "mit")
    assert outcome.code == 1 and "in which script the language 'tlh' is written" in outcome.err
    assert not here.recipe.exists()


@pytest.mark.parametrize(
    ("language", "license", "hint"), [("xx", "mit", "The Hub's list"), ("ru", "Apache", "'apache-2.0'?")]
)
def test_words_that_the_hub_would_refuse_are_refused_before_a_recipe_is_written(cli, here, language, license, hint):
    outcome = cli("new", "./base", language, "--license", license, "--text-license", "mit")
    assert outcome.code == 1 and hint in outcome.err and not here.recipe.exists()


@pytest.mark.parametrize("missing", ["--license", "--text-license"])
def test_a_licence_has_no_default(cli, here, missing):
    options = {"--license": "mit", "--text-license": "mit"}
    del options[missing]
    outcome = cli("new", "./base", "ru", *(part for option in options.items() for part in option))
    assert outcome.code == 2 and f"Missing option '{missing}'" in outcome.err


def test_a_check_prints_what_it_will_cost_and_warns_of_local_paths(cli, here):
    here.content["base"] = str(here.folder / "base")
    outcome = cli("check", here.write())
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].startswith("in all       about ")
    assert f"warning: line 4 names the local path {here.folder / 'base'}, which the card will show" in outcome.err


def test_a_check_writes_nothing(cli, here):
    here.write()
    before = pico.listing(here.folder)
    cli("check", here.recipe)
    assert pico.listing(here.folder) == before
    assert not os.path.exists("runs")


def test_usage_errors_end_with_2(cli):
    assert cli("nothing").code == 2
    assert cli("run").code == 2
    assert json.dumps(cli("--version").out).startswith('"hubadapt, version ')
