"""What the stage `evaluate` puts into the manifest."""

from __future__ import annotations

from contextlib import contextmanager

import pico
import pytest

from hubadapt.card import model_card
from hubadapt.lineage import Names


def by_name(manifest):
    """Metrics by model and language, then name."""
    found = {}
    for metric in manifest.metrics():
        found.setdefault((metric.model, metric.language), {})[metric.name] = metric
    return found


def test_every_model_is_measured_in_both_languages_by_the_same_numbers(finished):
    measured = by_name(finished.manifest)
    models = ("base", "instruct", "pretrain", "propagate-instruct")
    assert set(measured) == {(model, language) for model in models for language in ("ru", "en")}
    assert {tuple(numbers) for numbers in measured.values()} == {
        (
            "characters_per_token",
            "bits_per_byte",
            "generated_characters_per_token",
            "generated_characters_per_second",
            "held_out_characters_per_second",
            "generated_tokens_per_second",
        )
    }


def test_a_third_language_of_the_corpus_is_measured_too_and_the_card_shows_it(tmp_path, base):
    workshop = pico.Workshop.build(tmp_path / "work", base=base, without=("pretrain", "sample"))
    greek = ["Το ποτάμι κυλά και το σπίτι στέκει στην όχθη.", "Η μέρα ήταν μεγάλη και ο άνεμος σιγανός."] * 20
    pico.write_jsonl(workshop.folder / "el.jsonl", [f"{text} {number}" for number, text in enumerate(greek)])
    workshop.stage("corpus")["sources"].append({"path": "el.jsonl", "language": "el", "license": "cc0-1.0"})
    workshop.write()
    workshop.run()
    assert {(metric.model, metric.language) for metric in workshop.manifest.metrics()} == {
        (model, language) for model in ("base", "embed") for language in ("ru", "en", "el")
    }
    made = workshop.manifest.artifacts()[-1]
    card = model_card(workshop.manifest, made, Names(workshop.manifest, "me"))
    assert "| bits per byte (lower is better) | el |" in card


def test_characters_a_second_are_tokens_a_second_times_characters_per_token(finished):
    for numbers in by_name(finished.manifest).values():
        speed = numbers["generated_tokens_per_second"].value
        for text, density in (("generated", "generated_characters_per_token"), ("held_out", "characters_per_token")):
            assert numbers[f"{text}_characters_per_second"].value == pytest.approx(speed * numbers[density].value)


def test_densities_are_over_all_texts_and_speeds_over_the_prompts(finished):
    for numbers in by_name(finished.manifest).values():
        assert {number.n for name, number in numbers.items() if name.endswith("_per_second")} == {1}
        assert {number.n for name, number in numbers.items() if not name.endswith("_per_second")} == {5}
        assert {name for name, number in numbers.items() if number.stderr is None} == {
            name for name in numbers if name.endswith("_per_second")
        }


def test_what_is_measured_without_a_clock_is_the_same_again_and_progress_ends_at_its_total(finished_copy):
    """Also where more prompts are asked for than there are texts."""
    bars: dict[str, list[int]] = {}

    @contextmanager
    def bar(name, total):
        bars[name] = [total]
        yield bars[name].append

    before = finished_copy.manifest
    finished_copy.content["stages"] = [
        {kind: params} for item in finished_copy.content["stages"] for kind, params in item.items() if kind != "sample"
    ]
    finished_copy.stage("evaluate")["prompts"] = 50
    finished_copy.write()
    finished_copy.run(bar)
    assert finished_copy.ran() == ["evaluate"]
    total, *advances = bars["measuring"]
    assert total == sum(advances) == 4 * 2 * 3 * 5
    timeless = [[metric for metric in manifest.metrics() if not metric.unit.endswith("/s")]
                for manifest in (before, finished_copy.manifest)]  # fmt: skip
    assert timeless[0] == timeless[1]
