"""A GGUF file becomes the very tensors that transformers reads out of it, and what it cannot read whole is refused."""

from __future__ import annotations

import importlib.util
import json
from itertools import pairwise

import pico
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubadapt.checkpoint import from_gguf, read_tensor, shard_map
from hubadapt.errors import MissingExtraError, ModelError
from hubadapt.model import load_model, load_tokenizer
from hubadapt.tokenizer.families import read_merges

gguf = pytest.importorskip("gguf", reason="the gguf extra is not installed")
HIDDEN, LAYERS, HEADS, KV_HEADS, FEED = 64, 2, 4, 2, 96
QUANTS = [gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32]


def weights(rows, tied):
    """Random tensors of a llama, by the names that GGUF gives them."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"token_embd": (rows, HIDDEN), "output_norm": (HIDDEN,)}
    if not tied:
        shapes["output"] = (rows, HIDDEN)
    for layer in range(LAYERS):
        narrow = HIDDEN * KV_HEADS // HEADS
        shapes |= {
            f"blk.{layer}.{name}": shape
            for name, shape in {
                "attn_norm": (HIDDEN,), "ffn_norm": (HIDDEN,), "attn_q": (HIDDEN, HIDDEN), "attn_k": (narrow, HIDDEN),
                "attn_v": (narrow, HIDDEN), "attn_output": (HIDDEN, HIDDEN), "ffn_gate": (FEED, HIDDEN),
                "ffn_up": (FEED, HIDDEN), "ffn_down": (HIDDEN, FEED),
            }.items()
        }  # fmt: skip
    return {f"{name}.weight": torch.randn(shape, generator=generator).numpy() for name, shape in shapes.items()}


def write_gguf(path, *, quant=QUANTS[0], tied=True, rule="gpt-2", more=None, without=(), architecture="llama"):
    """A pico llama as GGUF, written with the format's own package."""
    tokenizer = pico.byte_level_tokenizer()
    content = json.loads(tokenizer.to_str())
    entries = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(entries))
    writer.add_tokenizer_model("gpt2")
    if rule:
        writer.add_tokenizer_pre(rule)
    writer.add_token_list([entry for entry, _ in entries])
    writer.add_token_types([3 if entry in pico.SPECIALS else 1 for entry, _ in entries])
    writer.add_token_merges([" ".join(merge) for merge in read_merges(content)])
    writer.add_eos_token_id(dict(entries)["<|endoftext|>"])
    for key, value in (more or {}).items():
        writer.add_string(key, value)
    for name, tensor in weights(len(entries), tied).items():
        if name not in without:
            kind = quant if tensor.ndim > 1 else gguf.GGMLQuantizationType.F32
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("quant", QUANTS, ids=lambda quant: quant.name)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_tensor_is_the_one_that_transformers_reads(tmp_path, quant, tied, dtype):
    file = write_gguf(tmp_path / "pico.gguf", quant=quant, tied=tied)
    from_gguf(file, tmp_path / "model", dtype=dtype)
    expected = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, dtype=dtype).state_dict()
    names = set(shard_map(tmp_path / "model"))
    assert names == set(expected) - ({"lm_head.weight"} if tied else set())
    for name in names:
        tensor = read_tensor(tmp_path / "model", name)
        assert tensor.dtype == dtype and torch.equal(tensor, expected[name]), name
    model = pico.load(tmp_path / "model")
    assert model.dtype == dtype and all(torch.equal(model.state_dict()[name], expected[name]) for name in expected)


def test_a_large_file_becomes_several(tmp_path, monkeypatch):
    file = write_gguf(tmp_path / "pico.gguf")
    from_gguf(file, tmp_path / "one")
    monkeypatch.setattr("hubadapt.checkpoint.gguf._SHARD", 100_000)
    from_gguf(file, tmp_path / "several")
    assert len(set(shard_map(tmp_path / "several").values())) > 2
    one, several = (load_model(tmp_path / name).state_dict() for name in ("one", "several"))
    assert all(torch.equal(one[name], several[name]) for name in one)


def test_the_tokenizer_gives_the_ids_it_was_made_of(tmp_path):
    from_gguf(write_gguf(tmp_path / "pico.gguf"), tmp_path / "model")
    tokenizer, own = load_tokenizer(tmp_path / "model"), pico.byte_level_tokenizer()
    for text in (*pico.english(20), *pico.russian(5), "in 2026<|im_end|>\n"):
        assert tokenizer.encode(text, add_special_tokens=False) == own.encode(text).ids


def test_single_digits_stay_single(tmp_path):
    file = write_gguf(tmp_path / "pico.gguf", rule="smollm")
    from_gguf(file, tmp_path / "model")
    tokenizer = load_tokenizer(tmp_path / "model")
    pieces = tokenizer.convert_ids_to_tokens(tokenizer.encode("in 2026", add_special_tokens=False))
    assert pieces[-4:] == list("2026")
    untold = AutoTokenizer.from_pretrained(tmp_path, gguf_file=file.name)
    assert untold.backend_tokenizer.pre_tokenizer.pre_tokenize_str("2026")[0][0] == "2026"


@pytest.mark.parametrize("rule", [None, "some-new-rule"])
def test_a_rule_that_is_not_known_is_refused(tmp_path, rule):
    file = write_gguf(tmp_path / "pico.gguf", rule=rule)
    with pytest.raises(ModelError, match=r"a rule named 'some-new-rule'" if rule else "does not name the rule"):
        from_gguf(file, tmp_path / "model")
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"without": ("blk.1.ffn_up.weight",)}, r"lacks the tensor model\.layers\.1\.mlp\.up_proj\.weight"),
        ({"more": {"llama.rope.scaling.type": "yarn"}}, r"scales its positions \(yarn\)"),
        ({"architecture": "nothing-known"}, "cannot be read: "),
    ],
    ids=["tensor", "positions", "architecture"],
)
def test_what_would_be_read_in_part_is_refused(tmp_path, changes, said):
    file = write_gguf(tmp_path / "pico.gguf", **changes)
    with pytest.raises(ModelError, match=said):
        from_gguf(file, tmp_path / "model")
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_tensor_without_a_place_is_refused(tmp_path, monkeypatch):
    shapes = weights

    def more(rows, tied):
        return {**shapes(rows, tied), "rope_freqs.weight": torch.ones(8).numpy()}

    monkeypatch.setattr(f"{__name__}.weights", more)
    file = write_gguf(tmp_path / "pico.gguf")
    with pytest.raises(ModelError, match=r"holds the tensor rope_freqs\.weight"):
        from_gguf(file, tmp_path / "model")


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    file = write_gguf(tmp_path / "pico.gguf")
    data = file.read_bytes()
    for part in (0.0, 0.001, 0.2, 0.5, 0.9):
        file.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ModelError, match=rf"{file} cannot be read"):
            from_gguf(file, tmp_path / "model")
        assert sorted(tmp_path.iterdir()) == [file]
    with pytest.raises(ModelError, match="there is no file"):
        from_gguf(tmp_path / "none.gguf", tmp_path / "model")


def test_one_tensor_at_a_time_is_read(tmp_path, monkeypatch):
    live: list[int] = []
    original = gguf.dequantize

    def watched(data, kind):
        live.append((tmp_path / ".model.partial" / "model.safetensors").stat().st_size)
        return original(data, kind)

    monkeypatch.setattr(gguf, "dequantize", watched)
    from_gguf(write_gguf(tmp_path / "pico.gguf"), tmp_path / "model")
    assert all(before < after for before, after in pairwise(live))


def test_without_the_reader_the_extra_is_named(tmp_path, monkeypatch):
    file = write_gguf(tmp_path / "pico.gguf")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gguf" else found(name, *rest))
    with pytest.raises(MissingExtraError, match="reading a GGUF file"):
        from_gguf(file, tmp_path / "model")


def test_surgery_takes_a_gguf_file_and_leaves_nothing_of_its_way(cli, tmp_path):
    file = write_gguf(tmp_path / "pico.gguf")
    from_gguf(file, tmp_path / "model")
    pico.write_extended(tmp_path / "model", tmp_path / "tokenizer", new_tokens=20)
    outcome = cli("embed", file, "--tokenizer", tmp_path / "tokenizer", "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out", "pico.gguf", "tokenizer"]
    name = "model.embed_tokens.weight"
    old, grown = (read_tensor(tmp_path / folder, name) for folder in ("model", "out"))
    assert len(grown) == len(old) + 20 and torch.equal(grown[: len(old)], old)
