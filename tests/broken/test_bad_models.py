"""A base or sibling that cannot be used: two lines before anything runs, exit code 1, and nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pico
import pytest

AGAIN = "Download or copy the model again."
AGAIN_TOKENIZER = "Download or copy the tokenizer again."


@pytest.fixture
def refused(cli, workshop):
    """Run the recipe and compare the two lines, in which BASE and SIBLING stand for the models' folders."""

    def check(problem: str, hint: str) -> None:
        before = pico.listing(workshop.folder)
        outcome = cli("run", workshop.recipe)
        expected = f"{problem}\n{hint}\n"
        for name in ("base", "sibling"):
            expected = expected.replace(name.upper(), str(workshop.folder / name))
        assert (outcome.code, outcome.out, outcome.err) == (1, "", expected)
        assert pico.listing(workshop.folder) == before

    return check


def set_keys(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def test_a_folder_without_a_config_is_no_model(refused, workshop):
    (workshop.folder / "base" / "config.json").unlink()
    refused("BASE is no model: it holds no config.json.", "Name a folder that save_pretrained wrote.")


@pytest.mark.parametrize(
    ("model_type", "architectures", "named"),
    [("bert", ["BertForMaskedLM"], "BertForMaskedLM"), ("t5", None, "not named")],
)
def test_a_model_that_is_no_causal_lm_is_refused(refused, workshop, model_type, architectures, named):
    set_keys(workshop.folder / "base" / "config.json", model_type=model_type, architectures=architectures)
    refused(
        f"BASE is no causal language model: its architecture is {named}.",
        "Choose a decoder such as Llama, Qwen, Mistral, Gemma or SmolLM.",
    )


@pytest.mark.parametrize(
    "data",
    [b"", b'{"model_type": "llama"', b"\xff\xfe", b"[1, 2]", b'{"model_type": "nothing-known"}'],
    ids=["empty", "cut", "not UTF-8", "a list", "unknown type"],
)
def test_a_damaged_config_is_named(cli, workshop, data):
    path = workshop.folder / "base" / "config.json"
    path.write_bytes(data)
    before = pico.listing(workshop.folder)
    outcome = cli("check", workshop.recipe)
    problem, hint = outcome.err.splitlines()
    assert outcome.code == 1
    assert problem.startswith(f"{path} cannot be used: ")
    assert hint == "Check the file; a newer transformers may know the architecture: pip install -U transformers"
    assert pico.listing(workshop.folder) == before


def test_a_config_with_an_impossible_value_is_named(cli, workshop):
    set_keys(workshop.folder / "base" / "config.json", hidden_size="wide")
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 2
    assert outcome.err.startswith(f"{workshop.folder / 'base' / 'config.json'} cannot be used: ")


def test_a_tokenizer_of_an_unsupported_family_is_refused(refused, workshop):
    pico.write_tokenizer(workshop.folder / "base", "wordpiece")
    refused(
        "the tokenizer of ./base is of another family, WordPiece without byte-level or byte-fallback pieces; "
        "its vocabulary cannot be changed.",
        "Choose a base with a byte-level BPE (SmolLM2, Llama-3, Qwen, GPT-NeoX), a SentencePiece BPE with byte "
        "fallback (Llama-2, Mistral, Gemma) or a Unigram (XGLM).",
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "BASE holds no tokenizer.json."),
        (b'{"model": {', "BASE/tokenizer.json is not JSON: Expecting property name enclosed in double quotes: line 1 "
         "column 12 (char 11)."),
        (b"[]", "BASE/tokenizer.json describes no tokenizer."),
        (b'{"version": "1.0"}', "BASE/tokenizer.json describes no tokenizer."),
    ],
    ids=["missing", "cut", "a list", "no model"],
)  # fmt: skip
def test_a_damaged_tokenizer_is_named(refused, workshop, data, problem):
    path = workshop.folder / "base" / "tokenizer.json"
    path.unlink() if data is None else path.write_bytes(data)
    hint = "Write one: AutoTokenizer.from_pretrained(...).save_pretrained(...)" if data is None else AGAIN_TOKENIZER
    refused(problem, hint)


def test_a_tokenizer_without_merges_is_named(cli, workshop):
    path = workshop.folder / "base" / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    del content["model"]["merges"]
    path.write_text(json.dumps(content), "utf-8")
    outcome = cli("check", workshop.recipe)
    problem, hint = outcome.err.splitlines()
    assert (outcome.code, hint) == (1, AGAIN_TOKENIZER)
    assert problem.startswith(f"the tokenizer of {path.parent} cannot be loaded: ")


def test_weights_that_are_not_safetensors_are_refused(refused, workshop):
    weights = workshop.folder / "base" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    refused(
        "./base holds no safetensors weights.",
        "Convert it once: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)",
    )


@pytest.mark.parametrize("length", [4, 100, -1], ids=["no header", "cut header", "cut data"])
def test_a_cut_safetensors_file_is_named(cli, workshop, length):
    path = workshop.folder / "base" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    before = pico.listing(workshop.folder)
    outcome = cli("run", workshop.recipe)
    problem, hint = outcome.err.splitlines()
    assert outcome.code == 1
    assert problem.startswith(f"{path} is damaged: ")
    assert hint == AGAIN
    assert pico.listing(workshop.folder) == before


@pytest.fixture
def sharded(workshop) -> Path:
    """The workshop's base, its weights now in several files."""
    shutil.rmtree(workshop.folder / "base")
    return pico.write_model(workshop.folder / "base", sharded=True)


def test_a_missing_shard_is_named(refused, sharded):
    shard = min(sharded.glob("model-*.safetensors"))
    shard.unlink()
    refused(f"BASE/{shard.name} is missing, but model.safetensors.index.json names it.", AGAIN)


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"weight_map": 3}', b"\xff"])
def test_a_damaged_shard_index_is_named(refused, sharded, data):
    (sharded / "model.safetensors.index.json").write_bytes(data)
    refused("BASE/model.safetensors.index.json is damaged: it names no shards.", AGAIN)


def test_tables_smaller_than_the_tokenizer_are_refused(cli, workshop):
    base = workshop.folder / "base"
    pico.write_tokenizer(base)
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    content["added_tokens"].append(content["added_tokens"][0] | {"id": 1000, "content": "<|far|>"})
    (base / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err.endswith(
        f"{base} has 340 embedding rows, but its tokenizer gives ids up to 1000.\n"
        "Check that tokenizer and weights belong together.\n"
    )
    assert not (workshop.out / "1-tokenizer" / "tokenizer").exists()


TRUE_BASE = "LEP needs a sibling that was tuned from this very base; choose another, or its true base."


@pytest.fixture
def with_sibling(workshop):
    """Give the workshop's recipe a sibling written with these arguments, or changed by hand afterwards."""

    def add(**model: object) -> Path:
        workshop.content = pico.small_recipe(sibling=True, without=("sample",))
        workshop.write()
        return pico.write_model(workshop.folder / "sibling", **model)

    return add


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        ({"hidden": 48}, "hidden_size: 32 in BASE, 48 in SIBLING"),
        ({"tied": False}, "tie_word_embeddings: True in BASE, False in SIBLING"),
        ({"architecture": "qwen2"}, "model_type: llama in BASE, qwen2 in SIBLING"),
    ],
    ids=["hidden size", "tying", "architecture"],
)
def test_a_sibling_of_another_shape_is_refused_before_anything_runs(refused, with_sibling, model, difference):
    with_sibling(**model)
    refused(f"base and sibling differ in {difference}.", TRUE_BASE)


def test_a_sibling_with_other_token_ids_is_refused(refused, with_sibling):
    path = with_sibling() / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    vocab = content["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    ids = vocab["b"], vocab["a"]
    path.write_text(json.dumps(content), "utf-8")
    refused(
        f"base and sibling give the token 'a' different ids: {ids[0]} and {ids[1]}.",
        "LEP needs a sibling with the base's tokenizer; choose another sibling.",
    )


def test_a_sibling_whose_vocabulary_has_ordinary_entries_of_its_own_is_refused(refused, with_sibling):
    path = with_sibling(spare_rows=8) / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    content["model"]["vocab"]["aa"] = 345
    path.write_text(json.dumps(content), "utf-8")
    refused(
        "the vocabulary of SIBLING has entries that the base's lacks (1, such as 'aa'), and they are no added tokens.",
        "LEP cannot join two changed vocabularies; choose a sibling with the base's own.",
    )


def test_settings_of_propagate_that_do_not_fit_together_are_refused(refused, with_sibling, workshop):
    with_sibling()
    workshop.stage("propagate").update(form="ridge")
    workshop.write()
    refused(
        "stage propagate: the form ridge needs a strength.",
        "Set `ridge`, for example to 0.01, or choose the form auto.",
    )


def test_a_sibling_that_is_no_tune_of_the_base_is_refused_with_the_figures(refused, with_sibling):
    with_sibling(seed=5)
    refused(
        "SIBLING is no tune of BASE: the median cosine of their rows is -0.01 in model.embed_tokens.weight and 0.02 in "
        "model.layers.0.mlp.down_proj.weight, below 0.5.",
        TRUE_BASE,
    )


def test_problems_of_base_and_sibling_are_named_together(cli, with_sibling, workshop):
    (with_sibling() / "config.json").unlink()
    pico.write_tokenizer(workshop.folder / "base", "wordpiece")
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 4


@pytest.mark.parametrize(
    ("change", "gives"),
    [({"id": 339}, "'<|endoftext|>' the id 0"), ({"content": "<|other|>"}, "the id 0 to '<|endoftext|>'")],
)
def test_an_added_token_that_its_vocabulary_contradicts_is_refused(refused, workshop, change, gives):
    path = workshop.folder / "base" / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    entries = [entry for entry in content["model"]["vocab"] if entry != "<|endoftext|>"]
    content["model"]["vocab"] = {entry: index for index, entry in enumerate(["<|endoftext|>", *entries])}
    added = {**content["added_tokens"][0], "id": 0} | change
    path.write_text(json.dumps({**content, "added_tokens": [added]}), "utf-8")
    refused(
        f"the tokenizer of ./base adds the token {added['content']!r} with id {added['id']}, "
        f"but its vocabulary gives {gives}.",
        "Download or copy the tokenizer again, or correct `added_tokens` in its tokenizer.json.",
    )


def test_a_corpus_too_small_for_the_tokens_asked_says_what_it_can_give(cli, workshop):
    workshop.stage("tokenizer").update(new_tokens=5000, min_occurrences=3)
    workshop.write()
    outcome = cli("run", workshop.recipe)
    problem, hint = outcome.err.splitlines()[-2:]
    found = int(hint.split("`")[1].removeprefix("new_tokens: "))
    assert outcome.code == 1 and 50 < found < 5000
    assert problem == f"the corpus gives {found:,} new tokens of the 5,000 asked, at 3 occurrences or more."
    assert hint == f"Set `new_tokens: {found}`, lower `min_occurrences`, or give it more text."
    assert not (workshop.out / "1-tokenizer" / "tokenizer").exists()


def test_a_vocabulary_that_covers_the_text_already_gets_nothing(cli, workshop):
    workshop.stage("tokenizer").update(min_occurrences=10**6)
    workshop.write()
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [
        "the corpus gives 0 new tokens of the 80 asked, at 1000000 occurrences or more.",
        "The vocabulary covers this text already, or the text is too short: give it more.",
    ]
    assert not (workshop.out / "1-tokenizer" / "tokenizer").exists()


def test_a_vocabulary_whose_size_is_left_open_needs_something_worth_its_rows(cli, workshop):
    workshop.stage("tokenizer").update(new_tokens="auto", min_occurrences=10**6)
    workshop.write()
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2].startswith("no number of new tokens is worth their rows: the corpus gives 0, ")
