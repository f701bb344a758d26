"""LEP on disk: every form, siblings with tokens of their own, and what is refused with nothing written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pico
import pytest
import sentencepieces
import siblings
import torch
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map
from hubadapt.errors import ModelError, RecipeError, UserError
from hubadapt.propagation.apply import propagate_table
from hubadapt.propagation.forms import Form
from hubadapt.surgery import propagate as module
from hubadapt.surgery.propagate import Lep, propagate
from hubadapt.tokenizer.families import read_tokenizer_json
from hubadapt.vocab_map import VOCAB_MAP_NAME, VocabMap

FORMS = [Lep(form=form, ridge=0.1 if form == Form.RIDGE else 0.0) for form in Form]
NEW = 60


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def tied(request):
    return request.param


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def place(request, tied, tmp_path_factory):
    """A pico base, two siblings of it, and the base after an adaptation; read only."""
    folder = tmp_path_factory.mktemp("lep")
    base = pico.write_model(folder / "base", tied=tied, dtype=request.param, spare_rows=3, sharded=True)
    for name, seed in (("chat", 7), ("code", 8)):
        pico.write_sibling(base, folder / name, seed=seed)
    pico.write_extended(base, folder / "tokenizer", new_tokens=NEW)
    siblings.write_adapted(base, folder / "tokenizer", folder / "adapted")
    siblings.write_adapted(base, folder / "tokenizer", folder / "all rows", all_rows=True)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The same for what does not hang on dtype or tying: a tied base in float32."""
    folder = tmp_path_factory.mktemp("small")
    base = pico.write_model(folder / "base", spare_rows=2)
    pico.write_sibling(base, folder / "chat")
    pico.write_extended(base, folder / "tokenizer", new_tokens=NEW)
    siblings.write_adapted(base, folder / "tokenizer", folder / "adapted")
    return folder


def tables_of(folder):
    return find_tables(load_config(folder)).names


def run(place, out, *, adapted="adapted", lep=None, **names):
    """Propagate to some siblings by name."""
    found = {name: place / folder for name, folder in (names or {"chat": "chat"}).items()}
    return propagate(place / "base", place / adapted, found, out, lep)


@pytest.mark.parametrize("adapted", ["adapted", "all rows"])
@pytest.mark.parametrize("lep", FORMS, ids=[lep.form for lep in FORMS])
def test_every_form_gives_on_disk_what_it_gives_in_memory(place, adapted, lep, tmp_path):
    done = run(place, tmp_path, adapted=adapted, lep=lep)["chat"]
    pieces = VocabMap.load(place / "tokenizer" / VOCAB_MAP_NAME)
    service = np.array([token["id"] for token in read_tokenizer_json(place / "base")["added_tokens"]])
    for name in tables_of(place / "base"):
        tensors = [read_tensor(place / folder, name) for folder in ("base", "chat", adapted)]
        # The base's last three rows are padding and take no part in the fit.
        ignored = np.concatenate([service, np.arange(len(tensors[0]) - 3, len(tensors[0]))])
        expected = propagate_table(*tensors, pieces, service=ignored, transfer=lep.transfer)
        written = read_tensor(tmp_path / "chat", name)
        assert written.dtype == tensors[1].dtype
        made = np.setdiff1d(np.arange(pieces.new_size), ignored)
        assert torch.equal(written[made], expected.table[made])
        assert torch.equal(written[service], tensors[1][service])
        if adapted == "adapted":
            assert torch.equal(written[: len(tensors[1])], tensors[1])
            assert (done.kept[name], done.projected[name]) == (len(tensors[1]), NEW)
        assert done.maps[name].shift == pytest.approx(expected.solution.shift)


@pytest.mark.parametrize("lep", FORMS, ids=[lep.form for lep in FORMS])
def test_a_sibling_that_is_the_base_becomes_the_adapted_base_bit_for_bit(place, lep, tmp_path):
    run(place, tmp_path, lep=lep, chat="base")
    for name in shard_map(place / "adapted"):
        assert torch.equal(read_tensor(tmp_path / "chat", name), read_tensor(place / "adapted", name)), name


def test_the_result_loads_with_its_body_tying_and_template_as_they_were(place, tied, tmp_path):
    run(place, tmp_path)
    for name in shard_map(place / "chat"):
        if name not in tables_of(place / "chat"):
            assert torch.equal(read_tensor(tmp_path / "chat", name), read_tensor(place / "chat", name)), name
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tmp_path / "chat"),
        AutoTokenizer.from_pretrained(tmp_path / "chat"),
    )
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied
    assert model.dtype == pico.load(place / "chat").dtype
    assert tokenizer.chat_template == pico.CHAT_TEMPLATE
    russian = " ".join(pico.russian(5))
    assert tokenizer.decode(tokenizer.encode(russian)) == russian
    assert max(tokenizer.encode(russian)) >= len(read_tensor(place / "base", tables_of(place / "base")[0]))


@pytest.mark.parametrize("form", ["conversion", "auto"])
def test_many_siblings_in_one_pass_get_what_each_gets_alone(place, form, tmp_path, monkeypatch):
    run(place, tmp_path / "both", lep=Lep(form=form), chat="chat", code="code")
    for name in ("chat", "code"):
        run(place, tmp_path / "one", lep=Lep(form=form), **{name: name})
    monkeypatch.setattr(module, "_MATRICES", 1)
    run(place, tmp_path / "passes", lep=Lep(form=form), chat="chat", code="code")
    assert pico.listing(tmp_path / "both") == pico.listing(tmp_path / "one") == pico.listing(tmp_path / "passes")


def test_progress_ends_at_what_was_announced(small, tmp_path):
    seen: dict[str, list[int]] = {}

    def bar(description, total):
        seen[description] = [total, 0]
        return pico.recording(description, Counted(seen[description]))(description, total)

    class Counted(list):
        def __init__(self, counts):
            self.counts = counts

        def append(self, count):
            self.counts[1] += count

    found = {"chat": small / "chat"}
    propagate(small / "base", small / "adapted", found, tmp_path, Lep(form="auto"), progress=bar)
    assert seen["fitting maps"][0] == seen["fitting maps"][1]
    total, written = seen["writing chat"]
    assert total == pytest.approx(written, rel=0.05)


def test_without_a_vocabulary_map_it_is_made_of_the_two_tokenizers(small, tmp_path):
    bare = shutil.copytree(small / "adapted", tmp_path / "bare")
    (bare / VOCAB_MAP_NAME).unlink()
    propagate(small / "base", bare, {"chat": small / "chat"}, tmp_path / "out")
    run(small, tmp_path / "named")
    assert pico.listing(tmp_path / "out") == pico.listing(tmp_path / "named")


OWN = ("<|tool|>", "<|call|>")


def own_rows(folder, source, tokens):
    """The rows of tokens in a folder, and in the sibling they come from."""
    (name,) = tables_of(source)
    rows = []
    for place in (folder, source):
        ids = AutoTokenizer.from_pretrained(place).convert_tokens_to_ids(list(tokens))
        rows.append(read_tensor(place, name)[ids])
    return rows


@pytest.mark.parametrize("multiple", [None, 32])
def test_a_siblings_own_tokens_keep_their_ids_rows_and_text_where_the_vocabulary_left_room(multiple, tmp_path):
    base = pico.write_model(tmp_path / "base", spare_rows=1)
    sibling = siblings.with_own_tokens(
        pico.write_sibling(base, tmp_path / "chat"), tmp_path / "own", OWN, multiple=multiple
    )
    workshop = pico.Workshop.build(tmp_path / "work", base=base, without=("pretrain", "evaluate", "sample"))
    shutil.copytree(sibling, workshop.folder / "sibling")
    workshop.content["siblings"] = {"chat": "./sibling"}
    workshop.content["stages"].append({"propagate": {}})
    workshop.write()
    workshop.run()
    made = next(it for it in workshop.manifest.artifacts() if it.name == "propagate-chat")
    folder, rows = workshop.out / made.folder, len(read_tensor(sibling, *tables_of(sibling)))
    (name,) = tables_of(sibling)
    assert torch.equal(read_tensor(folder, name)[:rows], read_tensor(sibling, name))
    old, new = AutoTokenizer.from_pretrained(sibling), AutoTokenizer.from_pretrained(folder)
    assert new.convert_tokens_to_ids(list(OWN)) == old.convert_tokens_to_ids(list(OWN))
    text = "The river<|tool|> of the city<|call|><|im_end|>"
    assert new.encode(text) == old.encode(text) == Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    assert new.decode(new.encode("Утро<|tool|>вечер")) == "Утро<|tool|>вечер"
    assert pico.load(folder).config.vocab_size == len(read_tensor(folder, name)) > max(new.get_vocab().values())
    facts = workshop.manifest.stages[-1].facts["chat"]
    assert (facts["own_tokens"], facts["appended"]) == (2, 0)


def test_own_tokens_whose_ids_are_taken_come_after_the_last_row(small, tmp_path):
    own = siblings.with_own_tokens(small / "chat", tmp_path / "own", ("<|a|>", "<|b|>", *OWN), multiple=64)
    generation = own / "generation_config.json"
    ids = AutoTokenizer.from_pretrained(own).convert_tokens_to_ids(list(OWN))
    generation.write_text(json.dumps({"eos_token_id": ids}), "utf-8")
    done = propagate(small / "base", small / "adapted", {"chat": own}, tmp_path / "out")["chat"]
    folder = tmp_path / "out" / "chat"
    size = VocabMap.load(small / "tokenizer" / VOCAB_MAP_NAME).new_size
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # Two of the four fill rows that the base had spare.
    assert tokenizer.convert_tokens_to_ids(["<|a|>", "<|b|>"]) == [340, 341]
    assert tokenizer.convert_tokens_to_ids(list(OWN)) == [size, size + 1]
    assert torch.equal(*own_rows(folder, own, (*pico.SPECIALS, "<|a|>", "<|b|>", *OWN)))
    assert (done.own_tokens, done.appended) == (4, 2)
    assert json.loads((folder / generation.name).read_text("utf-8"))["eos_token_id"] == [size, size + 1]
    for text in ("The river<|a|> of<|call|>", " ".join(pico.russian(3))):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode(" ".join(pico.russian(3))) == AutoTokenizer.from_pretrained(small / "adapted").encode(
        " ".join(pico.russian(3))
    )
    assert pico.load(folder).config.vocab_size == size + 2


@pytest.mark.parametrize("stage", [{"keep_first": 320}, {"method": "replace", "new_tokens": 420, "ratios": {"ru": 1}}])
def test_own_tokens_follow_where_the_old_vocabulary_was_reduced_or_replaced(stage, tmp_path):
    base = pico.write_model(tmp_path / "base", spare_rows=1)
    sibling = siblings.with_own_tokens(pico.write_sibling(base, tmp_path / "chat"), tmp_path / "own", OWN)
    workshop = pico.Workshop.build(tmp_path / "work", base=base, without=("pretrain", "evaluate", "sample"))
    shutil.copytree(sibling, workshop.folder / "sibling")
    workshop.content["siblings"] = {"chat": "./sibling"}
    workshop.content["stages"].append({"propagate": {}})
    workshop.stage("tokenizer").update({"new_tokens": 40, **stage})
    workshop.write()
    workshop.run()
    made = next(it for it in workshop.manifest.artifacts() if it.name == "propagate-chat")
    folder = workshop.out / made.folder
    assert torch.equal(*own_rows(folder, sibling, (*pico.SPECIALS, *OWN)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer.encode("Утро<|tool|>вечер<|call|>")) == "Утро<|tool|>вечер<|call|>"
    assert len(tokenizer.encode("<|tool|><|call|>")) == 2
    assert pico.load(folder).config.vocab_size > max(tokenizer.get_vocab().values())


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("room", [True, False], ids=["room left", "ids taken"])
def test_sentencepiece_siblings_keep_their_own_tokens_in_both_files(kind, room, tmp_path):
    base = sentencepieces.write_model(tmp_path / "base", kind, spare_rows=3 if room else 1)
    own = siblings.with_own_tokens(pico.write_sibling(base, tmp_path / "chat"), tmp_path / "own", OWN, multiple=32)
    without = ("pretrain", "evaluate", "sample")
    workshop = pico.Workshop.build(tmp_path / "work", base=base, without=without)
    if room:
        workshop.content["siblings"] = {"own": str(own)}
        workshop.write()
    workshop.run()
    adapted, tokenizer = workshop.out / "2-embed" / "model", workshop.out / "1-tokenizer" / "tokenizer"
    lep = Lep(vocab_map=tokenizer / VOCAB_MAP_NAME)
    done = propagate(base, adapted, {"own": own}, tmp_path / "out", lep)["own"]
    folder = tmp_path / "out" / "own"
    # Without room, the first of them still fills the base's one spare row.
    assert (done.own_tokens, done.appended) == (2, 0 if room else 1)
    assert torch.equal(*own_rows(folder, own, OWN))
    text = "Утро<|tool|> the river<|call|>вечер"
    made, before = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(own)
    ids = made.encode(text, add_special_tokens=False)
    kept = OWN if room else OWN[:1]
    assert made.convert_tokens_to_ids(list(kept)) == before.convert_tokens_to_ids(list(kept))
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids == ids
    english = "the river and the city"
    assert made.encode(english) == before.encode(english)
    processor = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for piece in (" ".join(pico.russian(3)), english):
        assert processor.encode(piece) == made.encode(piece, add_special_tokens=False)
    for token in OWN:
        assert processor.id_to_piece(made.convert_tokens_to_ids(token)) == token


def test_a_service_token_that_the_sibling_renamed_keeps_its_row_and_its_new_name(small, tmp_path):
    renamed = shutil.copytree(small / "chat", tmp_path / "renamed")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        path = renamed / name
        path.write_text(path.read_text("utf-8").replace("<|im_start|>", "<|turn|>"), "utf-8")
    propagate(small / "base", small / "adapted", {"chat": renamed}, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out" / "chat")
    assert torch.equal(*own_rows(tmp_path / "out" / "chat", renamed, ("<|turn|>", "<|im_end|>")))
    assert "<|im_start|>" not in tokenizer.get_vocab()
    assert len(tokenizer.encode("<|turn|>")) == 1


def test_a_sibling_with_fewer_padding_rows_than_the_base_is_carried_over(small, tmp_path):
    short = shutil.copytree(small / "chat", tmp_path / "short")
    model = pico.load(short)
    model.resize_token_embeddings(340)
    siblings.rewrite(model, short)
    propagate(small / "base", small / "adapted", {"chat": short}, tmp_path / "out")
    run(small, tmp_path / "named")
    (name,) = tables_of(short)
    mine, other = (read_tensor(tmp_path / folder / "chat", name) for folder in ("out", "named"))
    assert torch.equal(mine[:340], other[:340])
    assert torch.allclose(mine[342:], other[342:], atol=1e-6)


def refusal(small, tmp_path, **changes):
    """The two lines that a propagation ends with; nothing may be written."""
    out, before = tmp_path / "out", pico.listing(tmp_path)
    arguments = {
        "base": small / "base",
        "adapted": small / "adapted",
        "siblings": {"chat": small / "chat"},
        "lep": None,
    }
    with pytest.raises(UserError) as caught:
        propagate(**{**arguments, **changes}, out=out)
    assert not out.exists() and pico.listing(tmp_path) == before
    return caught.value


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"hidden": 48}, "base and sibling differ in hidden_size: 32 in "),
        ({"tied": False}, "base and sibling differ in tie_word_embeddings: True in "),
        ({"architecture": "qwen2"}, "base and sibling differ in model_type: llama in "),
    ],
)
def test_models_of_another_kind_are_refused(small, tmp_path, settings, problem):
    other = pico.write_model(tmp_path / "other", **settings)
    assert refusal(small, tmp_path, siblings={"chat": other}).problem.startswith(problem)


def test_a_model_that_is_no_tune_of_the_base_is_refused_with_the_figures(small, tmp_path):
    other = pico.write_model(tmp_path / "other", spare_rows=2, seed=99)
    error = refusal(small, tmp_path, siblings={"chat": small / "chat", "other": other})
    assert f"{other} is no tune of {small / 'base'}: the median cosine of their rows is " in error.problem
    assert "in model.embed_tokens.weight and " in error.problem and "below 0.5" in error.problem


def test_shared_tokens_with_other_ids_are_refused(small, tmp_path):
    other = shutil.copytree(small / "chat", tmp_path / "other")
    content = read_tokenizer_json(other)
    vocab = content["model"]["vocab"]
    one, two = [entry for entry in vocab if len(entry) == 2][:2]
    vocab[one], vocab[two] = vocab[two], vocab[one]
    (other / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    error = refusal(small, tmp_path, siblings={"chat": other})
    assert error.problem.startswith("base and sibling give the token ") and "different ids" in error.problem


def test_a_sibling_whose_vocabulary_was_extended_already_is_refused(small, tmp_path):
    error = refusal(small, tmp_path, siblings={"chat": small / "adapted"})
    assert f"the vocabulary of {small / 'adapted'} has entries that the base's lacks (60, such as " in error.problem


def test_a_token_of_its_own_that_the_new_vocabulary_learnt_is_refused(small, tmp_path):
    content = read_tokenizer_json(small / "adapted")
    learnt = next(entry for entry, index in content["model"]["vocab"].items() if index > 345)
    other = siblings.with_own_tokens(small / "chat", tmp_path / "other", (learnt,))
    error = refusal(small, tmp_path, siblings={"chat": other})
    assert f"adds the token {learnt!r}, which the adapted vocabulary learnt as an ordinary one" in error.problem


@pytest.mark.parametrize("role", ["base", "adapted", "chat"])
def test_tables_that_are_not_finite_are_refused(small, tmp_path, role):
    bad = pico.poisoned(small / role, tmp_path / "bad", row=5)
    changes = {"siblings": {"chat": bad}} if role == "chat" else {role: bad}
    error = refusal(small, tmp_path, **changes)
    assert f"model.embed_tokens.weight of {bad} holds NaN or infinity in 1 of" in error.problem


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_sibling_with_damaged_weights_is_refused(small, tmp_path, damage):
    bad = shutil.copytree(small / "chat", tmp_path / "bad")
    weights = bad / "model.safetensors"
    data = weights.read_bytes()
    weights.unlink()
    if damage == "cut":
        weights.write_bytes(data[: len(data) // 2])
    error = refusal(small, tmp_path, siblings={"chat": bad})
    assert "holds no safetensors weights" in error.problem or "is damaged" in error.problem


def test_fewer_rows_than_the_width_need_a_ridge_or_a_swap(tmp_path):
    folder = tmp_path / "wide"
    base = pico.write_model(folder / "base", hidden=512)
    pico.write_sibling(base, folder / "chat", noise=0.01)
    pico.write_extended(base, folder / "tokenizer", new_tokens=20)
    siblings.write_adapted(base, folder / "tokenizer", folder / "adapted")
    error = refusal(folder, tmp_path)
    assert "357 rows cannot determine a map of 512 × 512 without a ridge" in error.problem
    assert error.hint == "Set `form: ridge` with `ridge: 0.01`, or `form: swap`."
    for lep in (Lep(form="ridge", ridge=0.01), Lep(form="swap"), Lep(form="auto"), Lep(ridge=1e-6)):
        run(folder, tmp_path / "out", lep=lep)


def test_a_disk_that_is_too_small_is_told_before_the_work(small, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    monkeypatch.setattr(module, "fit_maps", None)
    assert "needs 0.06 GB, but 0.00 GB are free" in refusal(small, tmp_path).problem


def test_a_vocabulary_map_of_another_model_is_refused(small, tmp_path):
    other = pico.write_model(tmp_path / "other", spare_rows=9)
    pico.write_extended(other, tmp_path / "tokenizer", new_tokens=5)
    error = refusal(small, tmp_path, lep=Lep(vocab_map=tmp_path / "tokenizer" / VOCAB_MAP_NAME))
    assert "has 342 rows, the vocabulary map expects 349" in error.problem
    error = refusal(small, tmp_path, adapted=small / "base", lep=Lep(vocab_map=small / "tokenizer" / VOCAB_MAP_NAME))
    assert "has the shape (342, 32), expected was (402, 32)" in error.problem


@pytest.mark.parametrize(
    ("lep", "problem"),
    [
        (Lep(form="best"), "there is no form 'best' of propagation."),
        (Lep(form="ridge"), "the form ridge needs a strength."),
        (Lep(form="swap", ridge=0.5), "`ridge: 0.5` does not go with the form swap."),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(small, tmp_path, lep, problem):
    error = refusal(small, tmp_path, lep=lep)
    assert isinstance(error, RecipeError) and error.problem == problem


def test_a_sibling_without_a_row_for_one_of_its_tokens_is_refused(small, tmp_path):
    other = siblings.with_own_tokens(small / "chat", tmp_path / "other", ("<|a|>", "<|b|>", *OWN))
    for name in ("model.safetensors", "config.json"):
        shutil.copyfile(small / "chat" / name, other / name)
    error = refusal(small, tmp_path, siblings={"chat": other})
    assert isinstance(error, ModelError)
    assert error.problem == f"{other} has 342 embedding rows, but its tokenizer gives ids up to 343."
