"""A donor's rows beside those of a base, tokens matched by what they stand for."""

from __future__ import annotations

import pico
import pytest
import torch

from hubadapt.checkpoint import find_tables, load_config, read_tensor
from hubadapt.errors import ModelError
from hubadapt.surgery.donor import read_donor
from hubadapt.surgery.embed import Start, embed
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap, from_pieces


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_donor_that_is_the_base_with_trained_rows_gives_those_rows(tied, dtype, tmp_path):
    base = pico.write_model(tmp_path / "base", tied=tied, dtype=dtype, spare_rows=3)
    tokenizer = pico.write_extended(base, tmp_path / "tokenizer", new_tokens=40)
    embed(base, tokenizer, tmp_path / "donor", Start(method="random(std=0.3)", seed=5))
    embed(base, tokenizer, tmp_path / "out", Start(method="omp(k=32)", donor=tmp_path / "donor"))
    pieces = VocabMap.load(tokenizer / VOCAB_MAP_NAME)
    new = pieces.rows_of(Origin.COMPOSED)
    for name in find_tables(load_config(base)).names:
        donor, made = (read_tensor(tmp_path / folder, name)[new].float() for folder in ("donor", "out"))
        torch.testing.assert_close(made, donor, rtol=2e-2, atol=2e-2)


def test_tokens_are_matched_across_families_by_the_bytes_they_stand_for(tmp_path):
    base = pico.write_model(tmp_path / "base", style="qwen")
    donor = pico.write_model(tmp_path / "donor", style="byte-fallback")
    ours, theirs = (all_entries(read_tokenizer_json(folder)) for folder in (base, donor))
    rows = len(read_tensor(base, "model.embed_tokens.weight"))
    found = read_donor(donor, base, base, from_pieces(rows, []), head=False)
    assert found.ids == found.old_ids
    for entry, other in {"A": "<0x41>", "a": "a", "Ñ": "<0xD1>", "Ġ": "▁"}.items():
        assert found.old_ids[ours[entry]] == theirs[other], entry
    assert found.old_ids[ours["<|endoftext|>"]] == -1
    assert len({index for index in found.old_ids if index >= 0}) == sum(index >= 0 for index in found.old_ids)
    back = read_donor(base, donor, donor, from_pieces(len(found.table), []), head=False)
    assert back.old_ids[theirs["a"]] == ours["a"]
    assert back.old_ids[theirs["<0x61>"]] == -1  # `a` stands for the same byte
    assert back.old_ids[theirs["<unk>"]] == -1


def test_a_donor_that_splits_numbers_another_way_is_refused(tmp_path):
    base = pico.write_model(tmp_path / "base", style="qwen")
    donor = pico.write_model(tmp_path / "donor", style="qwen")
    path = donor / "tokenizer.json"
    text = path.read_text("utf-8").replace(r"|\\p{N}|", r"|\\p{N}{1,3}|")
    content = text.replace('"merges": [', '"merges": [["4", "2"], ', 1).replace(
        '"vocab": {', '"vocab": {"42": 400, ', 1
    )
    path.write_text(content, "utf-8")
    pieces = from_pieces(len(read_tensor(base, "model.embed_tokens.weight")), [])
    with pytest.raises(ModelError, match=r"donor splits 42 into 42, .*base into 4\|2: their rows of digits"):
        read_donor(donor, base, base, pieces, head=False)


def test_a_donor_of_another_kind_of_tokenizer_is_refused(tmp_path):
    base = pico.write_model(tmp_path / "base")
    donor = pico.write_model(tmp_path / "donor", style="wordpiece")
    with pytest.raises(ModelError, match="of another family"):
        read_donor(donor, base, base, from_pieces(340, []), head=False)
