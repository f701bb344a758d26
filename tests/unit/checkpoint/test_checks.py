"""A table is used only where it is there, in plain floats, and finite."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hubadapt.checkpoint import NewTensor, read_tensor, require_finite, write_with_tables
from hubadapt.errors import ModelError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_rows_that_are_not_finite_are_named(dtype, value):
    table = torch.zeros(1500, 4, dtype=dtype)
    table[[3, 700, 1499], 2] = float(value)
    with pytest.raises(ModelError, match=r"wte of base holds NaN or infinity in 3 of 1,500 rows: 3, 700, 1499\."):
        require_finite(Path("base"), "wte", table)


def test_infinities_that_cancel_are_found_and_many_rows_are_counted():
    table = torch.zeros(40, 2)
    table[:, 0], table[:, 1] = float("inf"), float("-inf")
    with pytest.raises(ModelError, match=r"in 40 of 40 rows: 0, 1, 2, 3, 4, …"):
        require_finite(Path("base"), "wte", table)


def test_large_finite_values_pass():
    require_finite(Path("base"), "wte", torch.full((600, 4), 3e38))


def test_a_model_saved_without_its_prefix_is_told_from_one_that_lacks_the_table(tmp_path):
    save_file({"wte.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"has no tensor transformer\.wte\.weight, but wte\.weight") as error:
        read_tensor(tmp_path, "transformer.wte.weight")
    assert error.value.hint.startswith("Save it anew once: ")


QUANTISED = {
    "gptq": ({"lm_head.qweight": torch.zeros(4, 4, dtype=torch.int32)}, "I32"),
    "bitsandbytes": ({"lm_head.weight": torch.zeros(64, 1, dtype=torch.uint8)}, "U8"),
    "fp8": ({"lm_head.weight": torch.zeros(4, 4).to(torch.float8_e4m3fn)}, "F8_E4M3"),
}


@pytest.mark.parametrize("method", QUANTISED)
def test_a_quantised_table_is_refused_by_name_dtype_and_method(tmp_path, method):
    tensors, dtype = QUANTISED[method]
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": method}}))
    with pytest.raises(ModelError, match=rf"lm_head\.weight of .* is quantised \({method}, stored as {dtype}\)"):
        read_tensor(tmp_path, "lm_head.weight")


def test_a_quantised_body_with_plain_tables_is_copied(base, tmp_path):
    from safetensors.torch import load_file

    source = tmp_path / "source"
    source.mkdir()
    name = "model.layers.0.self_attn.q_proj.weight"
    packed = torch.arange(32, dtype=torch.uint8)
    save_file({**load_file(base / "model.safetensors"), name: packed}, source / "model.safetensors")
    config = json.loads((base / "config.json").read_text()) | {"quantization_config": {"quant_method": "bitsandbytes"}}
    (source / "config.json").write_text(json.dumps(config))
    table = read_tensor(source, "model.embed_tokens.weight")
    write_with_tables(
        source, tmp_path / "target", {"model.embed_tokens.weight": NewTensor.of(table)}, config_changes={}
    )
    assert torch.equal(load_file(tmp_path / "target" / "model.safetensors")[name], packed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_tensor_stays_on_the_disk_until_it_is_changed(tmp_path):
    def own_memory() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

    size = 64 * 1024 * 1024
    save_file({"table": torch.ones(size // 4).reshape(-1, 1024)}, tmp_path / "model.safetensors")
    before = own_memory()
    table = read_tensor(tmp_path, "table")
    assert float(table.sum()) == size / 4
    assert own_memory() - before < size / 4
