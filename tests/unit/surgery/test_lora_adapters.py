"""Adapted bases that are LoRA adapters: what is added to a sibling's body is what peft merges, and what is refused."""

from __future__ import annotations

import json
import shutil

import pico
import pytest
import siblings
import torch
from safetensors.torch import load_file, save_file

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map
from hubadapt.errors import ModelError
from hubadapt.surgery.adapter import read_adapter
from hubadapt.surgery.propagate import Lep, propagate
from hubadapt.vocab_map import VOCAB_MAP_NAME

NEW = 40
SETTINGS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "patterns": {
        "rank_pattern": {"down_proj": 2, r"layers\.1\.self_attn\.q_proj": 6},
        "alpha_pattern": {"layers.0.mlp.down_proj": 16, "q_proj": 3},
    },
    "norms and biases": {"save": ("norm", "input_layernorm"), "bias": "all"},
}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def tied(request):
    return request.param


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def place(request, tied, tmp_path_factory):
    """A pico base, a sibling, and the base with new rows, on which adapters are trained."""
    folder = tmp_path_factory.mktemp("lora")
    base = pico.write_model(folder / "base", tied=tied, dtype=request.param)
    pico.write_sibling(base, folder / "chat")
    pico.write_extended(base, folder / "tokenizer", new_tokens=NEW)
    siblings.write_adapted(base, folder / "tokenizer", folder / "embedded")
    return folder


def adapter_of(place, folder, *, tied, save=(), **settings):
    """An adapter folder with both tables and the vocabulary's map, and the peft model it was saved from."""
    tables = ("embed_tokens",) if tied else ("embed_tokens", "lm_head")
    model = siblings.write_adapter(
        place / "embedded", folder, save=(*tables, *save), ensure_weight_tying=tied, **settings
    )
    shutil.copyfile(place / "tokenizer" / VOCAB_MAP_NAME, folder / VOCAB_MAP_NAME)
    return model


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_a_sibling_gets_its_own_body_plus_what_peft_would_merge(place, tied, settings, scale, tmp_path):
    peft = adapter_of(place, tmp_path / "adapter", tied=tied, **settings)
    done = propagate(
        place / "base", tmp_path / "adapter", {"chat": place / "chat"}, tmp_path, Lep(form="swap", body_scale=scale)
    )["chat"]
    merged = siblings.rewrite(peft.merge_and_unload(), shutil.copytree(place / "embedded", tmp_path / "merged"))
    changed = 0
    for name in shard_map(place / "chat"):
        if name in find_tables(load_config(place / "chat")).names:
            continue
        before, after, own = (read_tensor(folder, name) for folder in (place / "base", merged, place / "chat"))
        expected = own.float() + scale * (after.float() - before.float())
        found = read_tensor(tmp_path / "chat", name)
        assert found.dtype == own.dtype
        # In bfloat16 peft rounds what it merges; here the sum alone is rounded.
        close = {"atol": 1e-6} if own.dtype == torch.float32 else {"atol": 2e-2, "rtol": 2e-2}
        assert torch.allclose(found.float(), expected, **close), name
        changed += not torch.equal(before, after)
    assert done.body_tensors == changed
    assert changed >= 4


def test_the_tables_of_an_adapter_are_those_of_the_merged_model(place, tied, tmp_path):
    peft = adapter_of(place, tmp_path / "adapter", tied=tied)
    merged = siblings.rewrite(peft.merge_and_unload(), shutil.copytree(place / "embedded", tmp_path / "merged"))
    lep = Lep(body_scale=0)
    one = propagate(place / "base", tmp_path / "adapter", {"chat": place / "chat"}, tmp_path / "one", lep)["chat"]
    other = propagate(place / "base", merged, {"chat": place / "chat"}, tmp_path / "other", lep)["chat"]
    assert one.facts() == other.facts()
    assert pico.listing(tmp_path / "one") == pico.listing(tmp_path / "other")
    for name in shard_map(place / "chat"):
        if name not in find_tables(load_config(place / "chat")).names:
            assert torch.equal(read_tensor(place / "chat", name), read_tensor(tmp_path / "one" / "chat", name)), name


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A tied pico base and an adapter of it; read only."""
    folder = tmp_path_factory.mktemp("adapter")
    base = pico.write_model(folder / "base")
    pico.write_sibling(base, folder / "chat")
    pico.write_extended(base, folder / "tokenizer", new_tokens=NEW)
    siblings.write_adapted(base, folder / "tokenizer", folder / "embedded")
    adapter_of(folder, folder / "adapter", tied=True)
    return folder


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"use_dora": True}, "was trained with use_dora, which is more than plain LoRA."),
        ({"target_parameters": ["experts"]}, "was trained with target_parameters, which is more than plain LoRA."),
        ({"peft_type": "LOHA"}, "is an adapter of the kind LOHA, not LORA."),
        ({"init_lora_weights": "pissa_niter_16"}, "began as pissa_niter_16, which changes the base's weights too."),
    ],
)
def test_adapters_of_other_kinds_are_refused_by_name(adapter, tmp_path, changes, problem):
    other = shutil.copytree(adapter / "adapter", tmp_path / "other")
    path = other / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    with pytest.raises(ModelError) as caught:
        propagate(adapter / "base", other, {"chat": adapter / "chat"}, tmp_path / "out")
    assert problem in caught.value.problem and "merge_and_unload" in caught.value.hint
    assert not (tmp_path / "out").exists()


def retold(adapter, folder, change):
    """A copy of the adapter whose tensors were changed."""
    shutil.copytree(adapter / "adapter", folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(change(tensors), folder / "adapter_model.safetensors")
    return folder


def without_tables(tensors):
    return {name: tensor for name, tensor in tensors.items() if "embed_tokens" not in name and "lm_head" not in name}


def without_head(tensors):
    return {name: tensor for name, tensor in tensors.items() if "lm_head" not in name}


def two_tables(tensors):
    name = "base_model.model.lm_head.weight"
    return tensors | {name: tensors[name] + 1}


def half_a_pair(tensors):
    return {name: tensor for name, tensor in tensors.items() if "layers.0.mlp.down_proj.lora_B" not in name}


def lora_on_the_table(tensors):
    return tensors | {"base_model.model.model.embed_tokens.lora_embedding_A": torch.zeros(4, 380)}


def unknown_module(tensors):
    return tensors | {
        "base_model.model.model.layers.7.mlp.down_proj.lora_A.weight": torch.zeros(4, 48),
        "base_model.model.model.layers.7.mlp.down_proj.lora_B.weight": torch.zeros(32, 4),
    }


def not_finite(tensors):
    name = "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight"
    return tensors | {name: torch.full_like(tensors[name], float("inf"))}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without_tables, "does not hold the table model.embed_tokens.weight whole."),
        (half_a_pair, "layers.0.mlp.down_proj.lora_A.weight without its lora_B."),
        (lora_on_the_table, "embed_tokens.lora_embedding_A, which is more than a plain LoRA adapter."),
        (unknown_module, "changes model.layers.7.mlp.down_proj.weight of shape (32, 48), which in "),
        (not_finite, "holds NaN or infinity in 32 of 32 rows"),
    ],
)
def test_adapters_that_do_not_fit_are_refused(adapter, tmp_path, change, problem):
    other = retold(adapter, tmp_path / "other", change)
    with pytest.raises(ModelError) as caught:
        propagate(adapter / "base", other, {"chat": adapter / "chat"}, tmp_path / "out")
    assert problem in caught.value.problem
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept_tied", [True, False])
@pytest.mark.parametrize("parted", ["head gone", "head other"])
def test_tables_that_peft_trained_apart_though_the_base_ties_them_are_refused(adapter, tmp_path, kept_tied, parted):
    change = two_tables if parted == "head other" else without_head
    other = retold(adapter, tmp_path / "other", change)
    path = other / "adapter_config.json"
    config = json.loads(path.read_text("utf-8")) | {"ensure_weight_tying": kept_tied}
    path.write_text(json.dumps(config), "utf-8")
    if kept_tied and parted == "head gone":
        propagate(adapter / "base", other, {"chat": adapter / "chat"}, tmp_path / "out")
        return
    with pytest.raises(ModelError) as caught:
        propagate(adapter / "base", other, {"chat": adapter / "chat"}, tmp_path / "out")
    assert "the base ties model.embed_tokens.weight and lm_head.weight, but in the adapter" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("adapter_config.json", b"{", "is damaged: it names no kind of adapter."),
        ("adapter_model.safetensors", None, "holds no adapter_model.safetensors."),
        ("adapter_model.safetensors", b"\x10", "is damaged: "),
        ("tokenizer.json", None, "holds no tokenizer.json."),
    ],
)
def test_a_damaged_adapter_folder_is_refused(adapter, tmp_path, name, data, problem):
    other = shutil.copytree(adapter / "adapter", tmp_path / "other")
    (other / name).unlink() if data is None else (other / name).write_bytes(data)
    with pytest.raises(ModelError) as caught:
        propagate(adapter / "base", other, {"chat": adapter / "chat"}, tmp_path / "out")
    assert problem in caught.value.problem


def test_names_are_those_of_files_where_transformers_calls_a_module_otherwise(tmp_path):
    base = pico.write_model(tmp_path / "base", architecture="gpt_neox", tied=False)
    siblings.write_adapter(
        base, tmp_path / "adapter", save=("embed_in", "embed_out", "lm_head"), target_modules=["query_key_value"]
    )
    adapter = read_adapter(tmp_path / "adapter", base)
    assert set(find_tables(load_config(base)).names) <= set(adapter.saved)
    assert set(adapter.low_rank) <= set(shard_map(base))
