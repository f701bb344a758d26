"""`hubadapt embed`: what it writes and says, and what it refuses with nothing written."""

from __future__ import annotations

import shutil

import pico
import pytest
import torch

from hubadapt.embeddings import initialisations


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A pico model and a longer tokenizer; read only."""
    folder = tmp_path_factory.mktemp("embed")
    base = pico.write_model(folder / "base", tied=False)
    pico.write_extended(base, folder / "tokenizer", new_tokens=40)
    pico.write_jsonl(folder / "ru.jsonl", pico.russian(40))
    (folder / "full").mkdir()
    (folder / "full" / "notes.md").write_text("mine", "utf-8")
    return folder


@pytest.fixture
def embed(cli, place, monkeypatch):
    """Run `hubadapt embed` beside the pico model."""

    def call(*arguments: object) -> pico.Outcome:
        monkeypatch.chdir(place)
        return cli("embed", *arguments)

    return call


def test_it_writes_a_model_that_loads_with_the_new_tokenizer(embed, place, tmp_path):
    outcome = embed("base", "--tokenizer", "tokenizer", "--out", tmp_path / "out", "--head-method", "mean")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert "40 new rows by length(by=0.9), mean norm" in lines[0]
    assert "40 new rows by mean, mean norm" in lines[1]
    assert lines[-1] == f"Wrote {tmp_path / 'out'}."
    model = pico.load(tmp_path / "out")
    assert (
        model.generate(torch.tensor([[model.config.vocab_size - 1]]), max_new_tokens=2, min_new_tokens=2).shape[1] == 3
    )
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


def test_it_lists_every_method_with_its_settings(embed):
    outcome = embed("--methods")
    assert outcome.code == 0
    for name, method in initialisations().items():
        assert f"{name}: {method.summary}" in outcome.out
        for option in method.options:
            assert f"    {option} " in outcome.out


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("base", "--out", "full"), "full exists and is not empty.", "Name another folder, or delete this one first."),
        (("./nowhere", "--out", "o"), "the model folder ./nowhere does not exist.", None),
        (("base", "--out", "o", "--method", "fast"), "there is no initialisation 'fast'.", None),
        (
            ("base", "--out", "o", "--method", "omp"),
            "the initialisation omp needs a donor, but none is given.",
            None,
        ),
        (("base", "--out", "o", "--text", "none.txt"), None, None),
    ],
)
def test_what_cannot_be_done_is_refused_in_two_lines_and_nothing_is_written(embed, place, arguments, problem, hint):
    before = pico.listing(place)
    outcome = embed(*arguments, "--tokenizer", "tokenizer")
    assert (outcome.code, outcome.out) == (1, "")
    said = outcome.err.splitlines()[-2:]
    assert problem is None or said[0] == problem
    assert hint is None or said[1] == hint
    assert pico.listing(place) == before


def test_a_tokenizer_without_its_file_is_refused(embed, place, tmp_path):
    shutil.copytree(place / "tokenizer", tmp_path / "bare")
    (tmp_path / "bare" / "tokenizer.json").unlink()
    outcome = embed("base", "--tokenizer", tmp_path / "bare", "--out", tmp_path / "out")
    assert outcome.code == 1
    assert "tokenizer.json" in outcome.err
    assert not (tmp_path / "out").exists()
