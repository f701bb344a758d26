"""LoRA adapters made before the vocabulary grew: which still fit the adapted model, as its card says."""

from __future__ import annotations

import pico
import pytest
import siblings
import torch
from peft import PeftModel

NEW = 40


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def place(request, tmp_path_factory):
    """A pico base and the base with new rows, which were trained."""
    folder = tmp_path_factory.mktemp("old-adapters")
    base = pico.write_model(folder / "base", tied=request.param)
    pico.write_extended(base, folder / "tokenizer", new_tokens=NEW)
    siblings.write_adapted(base, folder / "tokenizer", folder / "adapted")
    return folder


@pytest.fixture(scope="module")
def adapter(place):
    """An adapter of the base that leaves its tables alone."""
    siblings.write_adapter(place / "base", place / "adapter", save=())
    return place / "adapter"


def test_an_adapter_of_the_body_adds_the_same_to_the_adapted_model(place, adapter):
    added = {}
    for name in ("base", "adapted"):
        before = {key: tensor.clone() for key, tensor in pico.load(place / name).state_dict().items()}
        after = PeftModel.from_pretrained(pico.load(place / name), adapter).merge_and_unload().state_dict()
        added[name] = {key: after[key] - before[key] for key in before if not torch.equal(after[key], before[key])}
    assert added["base"].keys() == added["adapted"].keys() and len(added["base"]) == 4
    assert all(torch.equal(added["base"][key], added["adapted"][key]) for key in added["base"])


def test_with_it_the_adapted_model_gives_old_tokens_the_very_logits_that_the_base_gives(place, adapter):
    rows = len(pico.load(place / "base").get_input_embeddings().weight)
    ids = torch.randint(0, rows, (2, 24), generator=torch.Generator().manual_seed(0))
    logits = {}
    for name in ("base", "adapted"):
        model = PeftModel.from_pretrained(pico.load(place / name), adapter).eval()
        with torch.inference_mode():
            logits[name] = model(input_ids=ids).logits
            plain = pico.load(place / name).eval()(input_ids=ids).logits
        assert not torch.allclose(plain, logits[name], atol=1e-3)
    assert logits["adapted"].shape[-1] == rows + NEW
    assert torch.allclose(logits["adapted"][..., :rows], logits["base"], atol=1e-5)


@pytest.mark.parametrize("table", ["embed_tokens", "lm_head"])
def test_an_adapter_that_holds_a_whole_table_does_not_fit(place, table, tmp_path):
    siblings.write_adapter(place / "base", tmp_path / "adapter", save=(table,))
    with pytest.raises(RuntimeError, match="size mismatch"):
        PeftModel.from_pretrained(pico.load(place / "adapted"), tmp_path / "adapter")
