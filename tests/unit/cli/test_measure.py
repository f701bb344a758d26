"""`hubadapt measure`: what it prints and writes, and what it refuses with nothing written."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pico
import pytest
from huggingface_hub import HfApi

AGAIN = "Download or copy the tokenizer again."


@pytest.fixture(scope="module")
def place(tmp_path_factory, base) -> Path:
    """Texts and tokenizers; read only."""
    folder = tmp_path_factory.mktemp("measure")
    shutil.copytree(base, folder / "base")
    pico.write_jsonl(folder / "ru.jsonl", pico.russian(400))
    pico.write_jsonl(folder / "other.jsonl", pico.russian(200, seed=8))
    pico.write_jsonl(folder / "en.jsonl", pico.english(80))
    pico.write_jsonl(folder / "fr.jsonl", pico.sentences(["été", "château", "l'hiver", "même"], count=200, seed=5))
    (folder / "one.txt").write_text("Утро в лесу.\n", "utf-8")
    (folder / "empty.txt").write_text(" \n\n ", "utf-8")
    pico.write_tokenizer(folder / "unigram", "unigram")
    pico.write_tokenizer(folder / "wordpiece", "wordpiece")
    pico.write_tokenizer(folder / "spelled", "byte-fallback")
    pico.write_tokenizer(folder / "cut")
    whole = (folder / "cut" / "tokenizer.json").read_text("utf-8")
    (folder / "cut" / "tokenizer.json").write_text(whole[:-9], "utf-8")
    shutil.copytree(folder / "unigram", folder / "odd")
    (folder / "odd" / "tokenizer.json").write_text('{"model": {"type": "BPE"}}', "utf-8")
    return folder


@pytest.fixture
def measure(cli, place, monkeypatch):
    """Run `hubadapt measure` in the folder of texts."""

    def call(*arguments: object) -> pico.Outcome:
        monkeypatch.chdir(place)
        return cli("measure", *arguments)

    return call


@pytest.fixture
def refused(measure, place, tmp_path):
    """Compare the last two lines on standard error; nothing else, and nothing written."""

    def check(*arguments: object, problem: str, hint: str) -> None:
        before = pico.listing(place)
        outcome = measure(*arguments, "--json", tmp_path / "out.json", "--plot", tmp_path / "out.png")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.splitlines()[-2:] == [problem, hint]
        assert pico.listing(place) == before
        assert not list(tmp_path.iterdir())

    return check


def languages(path: Path) -> dict[str, dict]:
    return {one["language"]: one for one in json.loads(path.read_text("utf-8"))["languages"]}


def test_a_model_folder_gives_a_table_json_and_a_plot(measure, tmp_path):
    outcome = measure(
        "base", "--text", "ru.jsonl:ru", "--text", "en.jsonl:en", "--min-occurrences", 2, "--sizes", "20,60,100",
        "--json", tmp_path / "out.json", "--plot", tmp_path / "out.png",
    )  # fmt: skip
    assert outcome.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.png"]
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    russian, english = languages(tmp_path / "out.json").values()
    assert (russian["texts"], russian["learnt"]["documents"]) == (10, 90)
    assert [point["new_tokens"] for point in russian["sweep"]] == sorted({0, 20, 60, 100, russian["knee"]})
    assert russian["sweep"][-1]["new_parameters"] == 100 * 32
    values = [point["characters_per_token"]["value"] for point in russian["sweep"]]
    assert values == sorted(values) and values[0] == russian["characters_per_token"]["value"]
    assert russian["floor"]["value"] > values[-1] > 2 * values[0]
    assert russian["verdict"]["worth"] is True
    assert russian["verdict"]["sentence"].startswith("Worth adapting: ")
    assert "sweep" not in english and english["texts"] == 20
    lines = outcome.out.splitlines()
    assert lines[:2] == ["base", "  byte-level BPE, 340 entries, 340 rows, 32 wide, head tied"]
    assert max(map(len, lines)) <= 100


def test_a_tokenizer_alone_has_no_costs(measure, place, tmp_path):
    shutil.copyfile(place / "base" / "tokenizer.json", tmp_path / "tokenizer.json")
    outcome = measure(
        tmp_path / "tokenizer.json", "--text", "ru.jsonl:ru", "--sizes", 20, "--json", tmp_path / "out.json"
    )
    assert outcome.code == 0
    assert "parameters" not in outcome.out
    content = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert content["table"] == {"rows": 340, "width": None, "tied": None}
    assert {point["new_parameters"] for point in content["languages"][0]["sweep"]} == {None}


def test_the_same_question_gives_the_same_bytes(measure, tmp_path):
    for name in ("one", "other"):
        measure(
            "base", "--text", "ru.jsonl:ru", "--json", tmp_path / f"{name}.json", "--plot", tmp_path / f"{name}.svg"
        )
    for kind in ("json", "svg"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"other.{kind}").read_bytes()


def test_all_of_the_text_is_measured_where_there_is_a_corpus_to_learn_from(measure, place, tmp_path):
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text("".join((place / name).read_text("utf-8") for name in ("ru.jsonl", "other.jsonl")), "utf-8")
    for corpus in (mixed, f"{mixed}:ru"):
        measure("base", "--text", "ru.jsonl:ru", "--corpus", corpus, "--json", tmp_path / "out.json")
        russian = languages(tmp_path / "out.json")["ru"]
        assert russian["texts"] == 100
        assert russian["learnt"]["documents"] == 50


def test_sizes_left_open_end_with_what_the_text_gives(measure, tmp_path):
    assert measure("base", "--text", "ru.jsonl:ru", "--json", tmp_path / "out.json").code == 0
    russian = languages(tmp_path / "out.json")["ru"]
    last = russian["sweep"][-1]
    assert 0 < last["new_tokens"] < 256
    assert last["rows"] % 128 == 0
    assert russian["learnt"]["min_occurrences"] == 2


def test_a_language_in_the_latin_script_says_whether_english_was_protected(measure, tmp_path):
    text = ["--text", "fr.jsonl:fr", "--sizes", "5", "--min-occurrences", 2]
    alone = measure("base", *text)
    beside = measure("base", *text, "--text", "en.jsonl:en")
    learnt = measure("base", *text, "--corpus", "en.jsonl:en")
    note = "An upper bound"
    assert [note in outcome.out for outcome in (alone, beside, learnt)] == [True, False, False]


def test_a_single_document_is_measured_and_nothing_is_swept(measure, tmp_path):
    outcome = measure("base", "--text", "one.txt:ru", "--json", tmp_path / "out.json")
    assert outcome.code == 0
    assert "Not known: there was too little text to learn from" in " ".join(outcome.out.split())
    russian = languages(tmp_path / "out.json")["ru"]
    assert russian["characters_per_token"]["n"] == 1 and "sweep" not in russian


def test_a_sentencepiece_bpe_has_the_floor_of_words(measure, tmp_path):
    outcome = measure("spelled", "--text", "ru.jsonl:ru", "--sizes", "30,90", "--json", tmp_path / "out.json")
    assert outcome.code == 0
    assert "at one for each word or gap" in outcome.out
    russian = languages(tmp_path / "out.json")["ru"]
    assert russian["floor"]["value"] > russian["sweep"][-1]["characters_per_token"]["value"] > 1


def test_a_hub_id_needs_no_weights(measure, at_hub, hub, base):
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/measured", exist_ok=True)
    api.upload_folder(repo_id="local/measured", folder_path=base, ignore_patterns="*.safetensors")
    with at_hub(hub.endpoint, hub.token):
        outcome = measure("local/measured", "--text", "one.txt:ru")
    assert outcome.code == 0
    assert outcome.out.startswith("local/measured\n  byte-level BPE, 340 entries, 340 rows, 32 wide, head tied\n")


@pytest.mark.parametrize(
    ("tokenizer", "problem", "hint"),
    [
        (
            "nothing",
            "the tokenizer nothing does not exist.",
            "Name a folder, a tokenizer.json or a Hub id such as HuggingFaceTB/SmolLM2-135M.",
        ),
        (
            "./a/b",
            "the tokenizer ./a/b does not exist.",
            "Name a folder, a tokenizer.json or a Hub id such as HuggingFaceTB/SmolLM2-135M.",
        ),
    ],
)
def test_a_missing_tokenizer_is_named(refused, tokenizer, problem, hint):
    refused(tokenizer, "--text", "ru.jsonl:ru", problem=problem, hint=hint)


def test_a_family_whose_vocabulary_cannot_grow_is_refused(refused):
    refused(
        "wordpiece", "--text", "ru.jsonl:ru",
        problem="the tokenizer of wordpiece is of another family, WordPiece without byte-level or byte-fallback "
        "pieces; its vocabulary cannot be changed.",
        hint="Choose a base with a byte-level BPE (SmolLM2, Llama-3, Qwen, GPT-NeoX), a SentencePiece BPE with byte "
        "fallback (Llama-2, Mistral, Gemma) or a Unigram (XGLM).",
    )  # fmt: skip


@pytest.mark.parametrize("tokenizer", ["cut", "odd"])
def test_a_damaged_tokenizer_is_named(measure, place, tmp_path, tokenizer):
    outcome = measure(tokenizer, "--text", "ru.jsonl:ru", "--json", tmp_path / "out.json")
    problem, hint = outcome.err.splitlines()
    assert outcome.code == 1
    assert problem.startswith(
        (f"{tokenizer}/tokenizer.json is not JSON: ", f"the tokenizer {tokenizer} cannot be loaded")
    )
    assert hint == AGAIN
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("absent.jsonl:ru", "the text absent.jsonl does not exist.", "Check the path before the language code."),
        ("ru.jsonl", "ru.jsonl names no language.", "Write it with its code, such as ru.jsonl:ru"),
        ("empty.txt:ru", "the text empty.txt is empty.", "Name a file that holds text."),
        (
            "en.jsonl:ru",
            "en.jsonl is given as 'ru', but 0% of its letters are Cyrillic.",
            "Check the language code behind the file's name, and that the file is the right one.",
        ),
        (
            "ru.jsonl:fr",
            "ru.jsonl is given as 'fr', but 0% of its letters are Latin.",
            "Check the language code behind the file's name, and that the file is the right one.",
        ),
    ],
    ids=["missing", "no language", "empty", "Latin", "Cyrillic"],
)
def test_a_text_that_cannot_be_measured_is_named(refused, text, problem, hint):
    refused("base", "--text", text, problem=problem, hint=hint)


def test_a_damaged_text_is_named(measure, tmp_path, place):
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress((place / "ru.jsonl").read_bytes())[:-20])
    outcome = measure("base", "--text", f"{tmp_path / 'cut.jsonl.gz'}:ru")
    assert outcome.code == 1
    assert outcome.err.splitlines()[0].startswith(f"{tmp_path / 'cut.jsonl.gz'} is damaged: ")


def test_a_corpus_of_a_language_that_is_not_measured_is_named(refused):
    refused(
        "base", "--text", "ru.jsonl:ru", "--corpus", "fr.jsonl:fr",
        problem="there is text to learn 'fr' from, but none to measure it on.", hint="Add --text FILE:fr",
    )  # fmt: skip


def test_an_unknown_language_is_named(measure):
    outcome = measure("base", "--text", "ru.jsonl:xx")
    assert outcome.code == 1
    assert outcome.err.startswith("hubadapt does not know in which script the language 'xx' is written.\n")


@pytest.mark.parametrize("size", ["0", "-5", "1048577"])
def test_a_size_outside_the_possible_is_named(refused, size):
    refused(
        "base", "--text", "ru.jsonl:ru", "--sizes", f"100,{size}",
        problem=f"{size} is no number of new tokens.", hint="Sizes go from 1 to 1,048,576, such as 1024,4096,16384.",
    )  # fmt: skip


@pytest.mark.parametrize("sizes", ["many", "1024;2048", "", "1.5"])
def test_sizes_that_are_no_numbers_are_named(refused, sizes):
    refused(
        "base", "--text", "ru.jsonl:ru", "--sizes", sizes,
        problem=" ".join(f"--sizes {sizes} is no list of numbers.".split()), hint="Write it as --sizes 1024,4096,16384",
    )  # fmt: skip


def test_a_corpus_too_small_for_the_sizes_says_what_it_gives(measure, tmp_path):
    outcome = measure(
        "base", "--text", "ru.jsonl:ru", "--sizes", "100,4096", "--min-occurrences", 3, "--json", tmp_path / "out.json"
    )
    problem, hint = outcome.err.splitlines()[-2:]
    assert (outcome.code, outcome.out) == (1, "")
    assert problem.startswith("the text to learn 'ru' from, ")
    assert problem.endswith(" new tokens of the 4,096 asked, at 3 occurrences or more.")
    given = int(problem.split(" gives ")[1].split()[0])
    assert hint == "Give it more text with --corpus, lower --min-occurrences, or name smaller --sizes."
    assert not list(tmp_path.iterdir())
    assert measure("base", "--text", "ru.jsonl:ru", "--sizes", given, "--min-occurrences", 3).code == 0


def test_sizes_asked_of_a_single_document_are_too_many(measure):
    outcome = measure("base", "--text", "one.txt:ru", "--sizes", 10)
    assert outcome.code == 1
    assert "gives 0 new tokens of the 10 asked" in outcome.err


def test_nothing_to_draw_is_said_before_anything_is_written(refused):
    refused(
        "base", "--text", "en.jsonl:en",
        problem="there is no sweep to draw: no language has text to learn new tokens from.",
        hint="Give more documents with --text, or a --corpus.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "name", "problem", "hint"),
    [
        ("--json", "none/out.json", "the folder none does not exist.", "Make it, or name a file in another folder."),
        ("--json", "out.txt", "out.txt does not end in .json.", "Name it out.json"),
        ("--plot", "out.pdf", "out.pdf does not end in .png or .svg.", "Name it out.png"),
        ("--plot", "folder.png", "folder.png is a folder.", "Name a file in it."),
        (
            "--plot",
            "one.txt/out.png",
            "the folder one.txt cannot be written to.",
            "Make it, or name a file in another folder.",
        ),
    ],
)
def test_a_place_that_cannot_be_written_is_named_before_any_work(
    cli, place, tmp_path, monkeypatch, option, name, problem, hint
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    shutil.copyfile(place / "one.txt", tmp_path / "one.txt")
    outcome = cli("measure", place / "base", "--text", "absent.txt:ru", option, name)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"{problem}\n{hint}\n")
