"""A recipe that cannot be run: each mistake gives its own two lines, exit code 1, and nothing is written."""

from __future__ import annotations

import re
import shutil

import pico
import pytest

from hubadapt.stages import stages
from hubadapt.tokenizer.scripts import LATIN_LANGUAGES, OWN_SCRIPTS


def refuse(outcome: pico.Outcome, problem: str, hint: str) -> None:
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"{problem}\n{hint}\n")


@pytest.fixture
def refused(cli, workshop):
    """Run the workshop's recipe and compare the two lines, in which RECIPE and FOLDER stand for paths."""

    def check(problem: str, hint: str) -> None:
        before = pico.listing(workshop.folder)
        names = {"RECIPE": str(workshop.recipe), "FOLDER": str(workshop.folder)}
        problem, hint = (re.sub("RECIPE|FOLDER", lambda match: names[match[0]], text) for text in (problem, hint))
        for command in ("check", "run"):
            refuse(cli(command, workshop.recipe), problem, hint)
        assert pico.listing(workshop.folder) == before

    return check


def test_a_missing_recipe_is_named(cli, tmp_path):
    path = tmp_path / "none.yaml"
    refuse(cli("run", path), f"the recipe {path} does not exist.", f"hubadapt new BASE LANGUAGE --out {path}")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_recipe(cli, tmp_path):
    refuse(cli("check", tmp_path), f"the recipe {tmp_path} is a folder.", "Name the YAML file in it.")


@pytest.mark.parametrize(
    ("data", "problem", "hint"),
    [
        (b"\xcf\xf0\xe8", "the recipe RECIPE is not UTF-8 (byte 0).", "Save it as UTF-8."),
        (b"", "RECIPE holds no recipe.", "hubadapt new BASE LANGUAGE --out RECIPE"),
        (b"- corpus\n", "RECIPE holds no recipe.", "hubadapt new BASE LANGUAGE --out RECIPE"),
        (
            b"name: [a\nlanguage: ru\n",
            "RECIPE line 2 is not YAML: expected ',' or ']', but got ':'.",
            "Check quotes and indentation there.",
        ),
        (
            b"name: a\x00b\n",
            "RECIPE is not YAML: unacceptable character #x0000: special characters are not allowed "
            'in "<unicode string>", position 7.',
            "Check quotes and indentation there.",
        ),
    ],
    ids=["not UTF-8", "empty", "a list", "broken YAML", "control character"],
)
def test_a_malformed_recipe_says_what_is_wrong(refused, workshop, data, problem, hint):
    workshop.recipe.write_bytes(data)
    refused(problem, hint)


def change_key(content):
    content["licence"] = content.pop("license")
    content["license"] = "mit"


def remove_key(content):
    del content["license"]


def unknown_stage(content):
    content["stages"].append({"evalute": {}})


def numbered_stage(content):
    content["stages"].append({1: {}})


def stage_key(content):
    content["stages"][1]["tokenizer"]["new_token"] = 3


def nested_key(content):
    content["stages"][0]["corpus"]["sources"][0]["licence"] = "mit"


def stage_list(content):
    content["stages"][2]["embed"] = ["mean"]


def bad_value(content):
    content["stages"][1]["tokenizer"]["new_tokens"] = "many"


def twice(content):
    content["stages"].append("embed")


def out_of_order(content):
    content["stages"].insert(0, {"embed": {}})
    del content["stages"][3]


def no_stages(content):
    content["stages"] = []


def bad_name(content):
    content["name"] = "a--b"


def sibling_called_base(content):
    content["siblings"] = {"base": "./base"}


def sibling_outside(content):
    content["siblings"] = {"../up": "./base"}


def sibling_with_a_long_name(content):
    content["siblings"] = {"n" * 26: "./base"}


def unknown_method(content):
    content["stages"][2]["embed"]["method"] = "means"


def propagate_nowhere(content):
    content["stages"].insert(4, {"propagate": {}})


def unknown_language(content):
    content["language"] = "Russian"


def language_without_a_script(content):
    content["language"] = "tlh"


def unknown_licence(content):
    content["license"] = "Apache 2.0"


def nobodys_licence(content):
    content["license"] = "unknown"


def unnamed_licence(content):
    content["license"] = "other"
    content["license_name"] = "my-terms"


def decision_without_a_reason(content):
    content["license_decisions"] = {"base": " "}


def corpus_in_no_language(content):
    content["stages"][0]["corpus"]["sources"][1]["language"] = "English"


@pytest.mark.parametrize(
    ("edit", "problem", "hint"),
    [
        (change_key, "RECIPE has an unknown key 'licence'.", "Did you mean 'license'?"),
        (remove_key, "RECIPE lacks 'license'.", "Add `license:`; `hubadapt new` writes a complete recipe."),
        (unknown_stage, "RECIPE: there is no stage 'evalute'.", "Did you mean 'evaluate'?"),
        (
            numbered_stage,
            "RECIPE: there is no stage '1'.",
            f"Choose one of: {', '.join(sorted(stages()))}.",
        ),
        (stage_key, "RECIPE: stage tokenizer has an unknown key 'new_token'.", "Did you mean 'new_tokens'?"),
        (
            nested_key,
            "RECIPE: stage corpus has an unknown key 'sources.0.licence'.",
            "Did you mean 'license'?",
        ),
        (
            stage_list,
            "RECIPE: stage embed takes keys with values, not ['mean'].",
            "See `hubadapt stages` for its keys.",
        ),
        (
            bad_value,
            "RECIPE: stage tokenizer has a bad value for 'new_tokens': Input should be a whole number from 0 to "
            "1048576, or auto (found 'many').",
            "See `hubadapt stages` for what each key takes.",
        ),
        (twice, "RECIPE: the stage embed stands twice.", "Remove one of them."),
        (
            out_of_order,
            "RECIPE: the stage embed needs the stage tokenizer before it.",
            "Add `- tokenizer` above it.",
        ),
        (
            no_stages,
            "RECIPE has a bad value for 'stages': List should have at least 1 item after validation, not 0 "
            "(found '[]').",
            "See `hubadapt stages` for what each key takes.",
        ),
        (
            bad_name,
            "RECIPE has a bad value for 'name': String should match pattern "
            "'^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$' (found 'a--b').",
            "See `hubadapt stages` for what each key takes.",
        ),
        (
            sibling_called_base,
            "RECIPE has a bad value for 'siblings': Value error, 'base' cannot be a sibling's name "
            "(found \"{'base': './base'}\").",
            "See `hubadapt stages` for what each key takes.",
        ),
        (
            sibling_outside,
            "RECIPE has a bad value for 'siblings': Value error, '../up' cannot be a sibling's name "
            "(found \"{'../up': './base'}\").",
            "See `hubadapt stages` for what each key takes.",
        ),
        (
            sibling_with_a_long_name,
            f"RECIPE has a bad value for 'siblings': Value error, '{'n' * 26}' has 26 characters; there is room "
            f"for 25 (found \"{{'{'n' * 26}': './base'}}\").",
            "See `hubadapt stages` for what each key takes.",
        ),
        (unknown_method, "there is no initialisation 'means'.", "Did you mean 'mean'?"),
        (
            propagate_nowhere,
            "the stage propagate has nowhere to carry the vocabulary: the recipe names no sibling.",
            "Add `siblings: {instruct: MODEL}` to the recipe, or remove the stage.",
        ),
        (
            language_without_a_script,
            "hubadapt does not know in which script the language 'tlh' is written.",
            f"Choose one of: {', '.join(sorted({*OWN_SCRIPTS, *LATIN_LANGUAGES}))}.",
        ),
        (unknown_language, "RECIPE says language: 'Russian', which the Hub does not know.", "Did you mean 'ru'?"),
        (
            unknown_licence,
            "RECIPE says license: 'Apache 2.0', which the Hub does not know.",
            "Did you mean 'apache-2.0'?",
        ),
        (
            nobodys_licence,
            "RECIPE says license: 'unknown', under which nobody may use the models.",
            "Choose a licence.",
        ),
        (
            unnamed_licence,
            "RECIPE says license: other with the link ''.",
            "Give `license_link` as an address that begins with https://, or as LICENSE where that file is published.",
        ),
        (
            decision_without_a_reason,
            "RECIPE gives no reason for 'base' under license_decisions.",
            "Write it down: the card prints it.",
        ),
        (
            corpus_in_no_language,
            "the corpus en.jsonl is in 'English', which is no language code of the Hub.",
            "Did you mean 'en'?",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_wrong_recipe_says_what_is_wrong(refused, workshop, edit, problem, hint):
    edit(workshop.content)
    workshop.write()
    refused(problem, hint)


def test_all_mistakes_of_a_recipe_are_named_at_once(cli, workshop):
    remove_key(workshop.content)
    stage_key(workshop.content)
    unknown_stage(workshop.content)
    outcome = cli("check", workshop.write())
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        f"{workshop.recipe} lacks 'license'.",
        "Add `license:`; `hubadapt new` writes a complete recipe.",
        f"{workshop.recipe}: stage tokenizer has an unknown key 'new_token'.",
        "Did you mean 'new_tokens'?",
        f"{workshop.recipe}: there is no stage 'evalute'.",
        "Did you mean 'evaluate'?",
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("# hf_" + "aB3" * 8, "a Hugging Face token"),
        ("# sk-" + "aB3" * 8, "an OpenAI-style key"),
        ("# https://user:pass@example.org/x", "a URL with a password"),
        ("  api_key: abc", "a password or token"),
    ],
)
def test_a_secret_in_a_recipe_is_refused_by_its_line_and_not_repeated(cli, workshop, line, what):
    text = workshop.recipe.read_text("utf-8")
    workshop.recipe.write_text(f"{text}\n\n{line}\n", "utf-8")
    number = text.count("\n") + 3
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1
    if not line.startswith("#"):  # it spoils the YAML too, which is told first
        return
    refuse(
        outcome,
        f"{workshop.recipe} line {number} looks like {what}; a recipe is printed in the model card.",
        "Take it out; give tokens through the environment: export HF_TOKEN=…",
    )
    assert line.removeprefix("# ") not in outcome.err


def test_a_model_folder_that_does_not_exist_is_named(refused, workshop):
    shutil.rmtree(workshop.folder / "base")
    refused(
        "the model folder ./base does not exist.",
        "Check `base` and `siblings` in the recipe; paths start at its folder.",
    )


def test_a_vocabulary_cannot_be_learnt_from_text_that_is_all_kept_to_measure_on(cli, workshop):
    stage = workshop.stage("tokenizer")
    stage.clear()
    stage.update(method="replace", new_tokens=420, ratios={"ru": 1, "en": 2, "el": 1})
    workshop.stage("corpus")["also_split"] = ["el"]
    outcome = cli("check", workshop.write())
    assert outcome.code == 1
    assert (
        "stage tokenizer: `ratios` names en, of which the corpus keeps no text to learn from.\n"
        "Add to the stage corpus: `also_split: [en]`.\n"
    ) in outcome.err
