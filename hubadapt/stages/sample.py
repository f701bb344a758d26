"""Stage `sample`: runs the card's usage snippet for every adapted model, and keeps what it printed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from pydantic import Field

from hubadapt.errors import ModelError
from hubadapt.model import load_tokenizer
from hubadapt.stages import Cost, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.usage import usage_snippet


class Config(StageConfig):
    """Parameters of the sample stage."""

    prompt: str = Field(min_length=1, description="Prompt of the usage snippet, in the target language")
    max_new_tokens: int = Field(40, gt=0, description="Tokens the snippet writes at the most")


def estimate(config: Config, outlook: Outlook) -> Cost:
    """A fresh interpreter for each model: imports, loading, generation."""
    written = config.max_new_tokens * (outlook.model_bytes / 7e9 + 0.02)
    return Cost(seconds=(1 + outlook.siblings) * (9 + written), memory=2 * outlook.model_bytes)


@stage("sample", Config, needs=("embed",), estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Execute the usage snippet that the card will print, in a fresh interpreter."""
    artifacts = {artifact.of: artifact for artifact in context.manifest.artifacts() if artifact.kind == "model"}
    samples = {}
    with context.progress("running the usage snippet", len(artifacts)) as advance:
        for artifact in artifacts.values():
            folder = context.run / artifact.folder
            tokenizer = load_tokenizer(folder)
            chat = artifact.of != "base" and bool(tokenizer.chat_template)
            code = usage_snippet(str(folder), prompt=config.prompt, max_new_tokens=config.max_new_tokens, chat=chat)
            samples[artifact.name] = {
                "prompt": config.prompt,
                "max_new_tokens": config.max_new_tokens,
                "chat": chat,
                "output": _execute(code, artifact.name),
                **({"format": _format(tokenizer, config.prompt)} if tokenizer.chat_template else {}),
            }
            advance(1)
    return StageResult(facts={"samples": samples})


def _format(tokenizer: Any, prompt: str) -> str:
    """What the chat template makes of one message, for the card."""
    messages = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _execute(code: str, name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(
            f"the usage snippet of {name} ended with {done.returncode}: {last}",
            "Load the model by hand with AutoModelForCausalLM.from_pretrained to see the whole error.",
        )
    return done.stdout.strip()
