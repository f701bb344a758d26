"""The probe: candidates trained on equal terms, ranked by what they become, ties to the earlier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pico
import pytest

from hubadapt.errors import CorpusError, RecipeError, SeveralErrors
from hubadapt.evaluation.bits_per_byte import bits_per_byte
from hubadapt.model import load_model, load_tokenizer
from hubadapt.surgery.embed import Start, embed
from hubadapt.training import probe as module
from hubadapt.training.probe import ProbeSettings, ProbeTexts, probe

SETTINGS = ProbeSettings(steps=3, batch_size=2, block_size=32, tolerance=1.0)
TEXTS = ProbeTexts(pico.russian(60), pico.russian(12, seed=5), pico.english(4, seed=6))
RANDOM = Start("random(std=3)")


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    base = pico.write_model(folder / "base", tied=request.param)
    pico.write_extended(base, folder / "tokenizer", new_tokens=60)
    return folder


@pytest.fixture(scope="module")
def standings(model):
    starts = [RANDOM, Start("mean"), Start("mean")]
    (model / "scratch").mkdir()
    ranked = probe(model / "base", model / "tokenizer", starts, TEXTS, model / "scratch", settings=SETTINGS)
    assert not list((model / "scratch").iterdir())
    return ranked


def test_rows_that_know_their_pieces_come_before_random_ones(standings):
    assert [standing.name for standing in standings] == ["mean", "mean", "random(std=3)"]
    assert standings[2].behind.value > 0 and standings[2].interval[0] > 0 and not standings[2].level


def test_equal_candidates_differ_by_exactly_nothing(standings):
    first, second, _ = standings
    assert first.behind.value == second.behind.value == first.behind.stderr == second.behind.stderr == 0
    assert first.after == second.after and second.level


def test_a_candidate_s_figures_do_not_depend_on_the_others(model, standings, tmp_path):
    (alone,) = probe(model / "base", model / "tokenizer", [RANDOM], TEXTS, tmp_path, settings=SETTINGS)
    assert (alone.before, alone.after) == (standings[2].before, standings[2].after)


def test_figures_before_are_those_of_the_model_right_after_surgery(model, standings, tmp_path):
    embed(model / "base", model / "tokenizer", tmp_path / "out", Start("mean"))
    adapted, tokenizer = load_model(tmp_path / "out"), load_tokenizer(tmp_path / "out")
    assert bits_per_byte(adapted, tokenizer, TEXTS.target) == standings[0].before.target
    assert bits_per_byte(adapted, tokenizer, TEXTS.english) == standings[0].before.english


def test_training_lowers_the_bits_of_the_target_language(standings):
    assert all(standing.after.target.value < standing.before.target.value for standing in standings)


def trials(*pairs):
    """Trials whose bits of four target texts and two English ones are given."""
    made = []
    for i, (target, english) in enumerate(pairs):
        bits = module._Bits(np.array(target, dtype=float), np.array(english, dtype=float))
        made.append(module._Trial(Start(f"m{i}"), bits, bits))
    return made


def names(ranked):
    return [standing.name for standing in ranked]


def ranked(*pairs, tolerance=0.01):
    texts = ProbeTexts((), ["aaaaaaaaaa"] * 4, ["bbbbbbbbbb"] * 2)
    terms = module._Terms(None, None, None, texts, replace(SETTINGS, tolerance=tolerance))
    return module._ranked(trials(*pairs), terms, np.array([20.0, 20.0]))


def test_those_that_cannot_be_told_apart_stay_in_the_order_given():
    first, second, worse = ([20, 21, 19, 20], [20, 20]), ([19, 21.5, 18, 21], [20, 20]), ([30, 30, 31, 29], [20, 20])
    assert names(ranked(worse, first, second)) == ["m1", "m2", "m0"]
    assert names(ranked(second, worse, first)) == ["m0", "m2", "m1"]


def test_one_that_loses_english_comes_after_all_that_keep_it():
    spoilt, kept = ([10, 10, 10, 10], [20, 20.5]), ([20, 20, 20, 20], [20, 20.3])
    assert names(ranked(spoilt, kept)) == ["m1", "m0"]
    assert [standing.keeps_english for standing in ranked(spoilt, kept)] == [True, False]
    assert names(ranked(spoilt, kept, tolerance=0.02)) == ["m0", "m1"]


def test_where_all_lose_english_the_smaller_loss_comes_first():
    assert names(ranked(([10] * 4, [30, 30]), ([20] * 4, [25, 25]))) == ["m1", "m0"]


def test_a_method_that_lacks_what_it_needs_is_refused_before_anything_is_done(model, tmp_path):
    def run(starts, texts=TEXTS):
        probe(model / "base", model / "tokenizer", starts, texts, tmp_path, settings=SETTINGS, progress=never)

    with pytest.raises(RecipeError, match="distill needs texts, but none is given"):
        run([Start("mean"), Start("distill")])
    with pytest.raises(RecipeError, match="no initialisation 'meen'"):
        run([Start("mean"), Start("meen")])
    with pytest.raises(CorpusError, match="measures on English texts, but there are none"):
        run([Start("mean")], replace(TEXTS, english=()))
    with pytest.raises(SeveralErrors):
        run([Start("distill")], replace(TEXTS, target=()))
    assert not list(tmp_path.iterdir())


def never(description, total):
    raise AssertionError(f"work was begun: {description}")
