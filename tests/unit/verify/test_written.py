"""What the usage snippet prints, written again: equal, another text, or another text where two tokens tie."""

from __future__ import annotations

import shutil

import pico
import pytest
import torch
from transformers import AutoTokenizer

from hubadapt.errors import HubError
from hubadapt.verify.written import snippet_findings

SAMPLE = {"prompt": "Утро", "max_new_tokens": 6, "chat": False}


@pytest.fixture
def judge(finished):
    """The verdict for a claimed output of a model folder."""

    def verdict(folder, output: object) -> str:
        stage = finished.manifest.stages[-1].model_copy(
            update={"facts": {"samples": {"m": SAMPLE | {"output": output}}}}
        )
        record = finished.manifest.model_copy(update={"stages": (stage,)})
        (finding,) = snippet_findings("m", record, folder, AutoTokenizer.from_pretrained(folder))
        return finding.verdict

    return verdict


def written(folder) -> str:
    model, tokenizer = pico.load(folder), AutoTokenizer.from_pretrained(folder)
    ids = model.generate(**tokenizer(SAMPLE["prompt"], return_tensors="pt"), max_new_tokens=6, do_sample=False)
    return tokenizer.decode(ids[0], skip_special_tokens=True).strip()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_text_that_the_model_writes_holds_and_no_other(judge, dtype, tmp_path):
    folder = pico.write_model(tmp_path / "model", dtype=dtype)
    text = written(folder)
    assert judge(folder, text) == "same"
    assert judge(folder, f"{text} and more") == "differs"
    assert judge(folder, "Утро в лесу") == "differs"


def test_where_all_tokens_are_as_likely_another_text_is_no_lie(judge, base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "tied")
    model = pico.load(base)
    torch.nn.init.zeros_(model.get_input_embeddings().weight)
    model.save_pretrained(folder)
    assert judge(folder, "Утро в лесу") == "same"


@pytest.mark.parametrize("output", [5, None])
def test_a_sample_of_another_form_is_damage(judge, base, output):
    with pytest.raises(HubError, match="the record of the sample of m is damaged at output"):
        judge(base, output)
