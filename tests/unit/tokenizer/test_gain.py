"""What the stage says about density: measured on held-out text, drawn alike every time, shown in the card."""

from __future__ import annotations

import json
import re
import shutil

import pico
import pytest
from tokenizers import Tokenizer

from hubadapt.corpus.dataset import read_split
from hubadapt.hub.draft import prepare, write_cards
from hubadapt.tokenizer.gain import draw_gain, gain_of
from hubadapt.tokenizer.vocabulary import NewVocabulary

PICTURE = "density/characters_per_token.png"


def facts_of(workshop):
    return next(record.facts for record in workshop.manifest.stages if record.kind == "tokenizer")


def run_tokenizer(workshop, **params):
    workshop.content["stages"] = workshop.content["stages"][:2]
    workshop.stage("tokenizer").clear()
    workshop.stage("tokenizer").update(params)
    workshop.write()
    workshop.run()
    return workshop


def density(folder, texts):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return sum(map(len, texts)) / sum(len(tokenizer.encode(text).ids) for text in texts)


def test_densities_are_those_of_the_folders_on_held_out_text(finished):
    facts = facts_of(finished)["characters_per_token"]
    texts = [text.strip() for text in read_split(finished.out / "0-corpus" / "dataset", "test", "ru")]
    for name, folder in (("base", finished.folder / "base"), ("new", finished.out / "1-tokenizer" / "tokenizer")):
        assert facts[name]["value"] == pytest.approx(density(folder, texts))
        assert facts[name]["n"] == len(texts)
    assert facts["base"]["value"] < facts["new"]["value"] < facts["floor"]["value"]


def test_the_sweep_goes_from_the_base_to_the_size_chosen(finished):
    facts = facts_of(finished)["characters_per_token"]
    sizes, values = zip(*((point["new_tokens"], point["value"]) for point in facts["sweep"]), strict=True)
    assert sizes == (0, 5, 20, 40, 80) and facts["chosen"] == 80
    assert list(values) == sorted(values)
    assert (values[0], values[-1]) == (facts["base"]["value"], facts["new"]["value"])


def test_a_size_that_is_found_is_marked_among_larger_ones(workshop):
    facts = facts_of(run_tokenizer(workshop, new_tokens="auto", min_occurrences=2))
    gain = facts["characters_per_token"]
    sizes = [point["new_tokens"] for point in gain["sweep"]]
    assert gain["chosen"] == facts["new_tokens"] and gain["chosen"] in sizes[1:]


def test_a_vocabulary_trained_anew_has_densities_and_no_picture(workshop):
    workshop.stage("corpus")["also_split"] = ["en"]
    facts = facts_of(run_tokenizer(workshop, method="replace", new_tokens=420, ratios={"ru": 1, "en": 1}))
    gain = facts["characters_per_token"]
    assert gain["sweep"] == [] and gain["base"]["value"] < gain["new"]["value"]
    assert not (workshop.out / "1-tokenizer" / "density").exists()


def test_a_second_run_draws_the_same_bytes(finished, tmp_path):
    other = finished.copy(tmp_path / "again")
    shutil.rmtree(other.out)
    run_tokenizer(other, **finished.stage("tokenizer"))
    one, again = (workshop.out / "1-tokenizer" / PICTURE for workshop in (finished, other))
    assert one.read_bytes() == again.read_bytes()


def test_every_picture_of_a_card_is_a_file_beside_it_and_says_what_it_shows(finished_copy):
    facts = facts_of(finished_copy)["characters_per_token"]
    draft = prepare(finished_copy.out, "me")
    english = [path for path in write_cards(draft) if not path.stem.endswith("_ru")]
    for plan, path in zip(draft.plans, english, strict=True):
        pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", path.read_text("utf-8"))
        made_here = plan.type == "model" and "/pico-ru-source" not in plan.id
        assert [link for _, link in pictures] == ([PICTURE, "training/loss.png"] if made_here else [])
        for text, link in pictures:
            gain = f"{facts['new']['value']:.3g} with the 80 chosen"
            assert (gain if link == PICTURE else "Loss a token over the steps") in text
            assert link in [upload.path for upload in plan.uploads]
            assert (path.parent / link).read_bytes().startswith(b"\x89PNG")


def test_without_a_sweep_nothing_is_drawn(tmp_path):
    content = json.loads(pico.byte_level_tokenizer().to_str())
    rows = len(content["model"]["vocab"])
    gain = gain_of(content, NewVocabulary(content, range(rows), (), (), rows), ["Утро."], ("Cyrillic",))
    assert gain.base == gain.new
    with pytest.raises(ValueError, match="no sweep"):
        draw_gain(gain, tmp_path / "plot.png", title="ru")
    assert not list(tmp_path.iterdir())
