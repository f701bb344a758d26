"""What the card's usage snippet prints, written once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from hubadapt.types import Manifest
from hubadapt.verify.finding import Finding, differs, same
from hubadapt.verify.record import named_facts, read_facts

_WHAT = "output of the usage snippet"
# Where the two likeliest tokens are closer than this part of the likeliest, rounding decides between them.
_TIE = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 2e-2}


class _Sample(BaseModel):
    prompt: str
    max_new_tokens: int = Field(gt=0, le=4096)
    chat: bool
    output: str


def snippet_findings(name: str, record: Manifest, folder: Path, tokenizer: Any) -> Iterator[Finding]:
    """Whether a model still writes what its card says; the snippet's text is not executed, its steps are done here.

    Args:
        name: The model's name in the run.
        record: The run.
        folder: Where the model lies.
        tokenizer: Its tokenizer.

    Raises:
        HubError: The record is damaged.
    """
    told = named_facts(record, "samples").get(name)
    if told:
        sample = read_facts(_Sample, told, f"the sample of {name}")
        yield _finding(sample, *_write(sample, folder, tokenizer))


def _write(sample: _Sample, folder: Path, tokenizer: Any) -> tuple[list[str], list[bool], str]:
    """The text after each step, whether that step was a tie, and the model's dtype."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", trust_remote_code=False).eval()
    dtype = str(model.dtype).removeprefix("torch.")
    if sample.chat:
        messages = [{"role": "user", "content": sample.prompt}]
        options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
        inputs = tokenizer.apply_chat_template(messages, **options)
    else:
        inputs = tokenizer(sample.prompt, return_tensors="pt")
    with torch.inference_mode():
        done = model.generate(
            **inputs, max_new_tokens=sample.max_new_tokens, do_sample=False, output_scores=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    ids, length = done.sequences[0].tolist(), inputs["input_ids"].shape[1]
    shown = ids[length:] if sample.chat else ids
    ends = range(len(shown) - len(done.scores) + 1, len(shown) + 1)
    texts = [tokenizer.decode(shown[:end], skip_special_tokens=True).strip() for end in ends]
    best = [scores[0].float().topk(2).values.tolist() for scores in done.scores]
    return texts, [first - second <= _TIE.get(dtype, 1e-4) * abs(first) for first, second in best], dtype


def _finding(sample: _Sample, texts: list[str], ties: list[bool], dtype: str) -> Finding:
    if texts[-1] == sample.output:
        return same(_WHAT, f"{len(sample.output)} characters")
    for text, tie in zip(texts, ties, strict=True):
        if not sample.output.startswith(text.rstrip("\ufffd")):
            if tie:
                return Finding(_WHAT, "another", "this", "same", reason=f"two tokens are as likely in {dtype}")
            break
    return differs(_WHAT, _short(sample.output), _short(texts[-1]), "the model writes something else")


def _short(text: str) -> str:
    return " ".join(text.split())[-60:]
