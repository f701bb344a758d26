"""Stage `evaluate`: measures every source and its adapted form on held-out text, target language and English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from hubadapt.corpus.dataset import read_split, split_file
from hubadapt.corpus.split import first_passage, pick_evenly
from hubadapt.errors import CorpusError
from hubadapt.manifest import hash_file
from hubadapt.model import load_model, load_tokenizer
from hubadapt.stages import Cost, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.types import Metric

_PROBE = "Language models read and write text in tokens."


class Config(StageConfig):
    """Parameters of the evaluate stage."""

    texts: int = Field(48, gt=0, description="Held-out texts a language, spread evenly over the test split")
    max_characters: int = Field(400, gt=0, description="A text is the beginning of a document, whole lines up to this")
    prompts: int = Field(5, gt=0, description="Prompts continued to measure speed, a language")
    new_tokens: int = Field(32, gt=0, description="Tokens written after each prompt")


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward passes over the texts at some 1.4 (old) and 4 characters a token, and generation one token at a time."""
    models = 2 + 2 * outlook.siblings
    tokens = config.texts * config.max_characters * 0.6 * (1 / 1.8 + 1 / 4.4)
    forward = tokens * 2 * outlook.parameters / (0.5 * outlook.flops)
    written = 2 * config.prompts * config.new_tokens * (outlook.model_bytes / 7e9 + 0.02)
    return Cost(seconds=models * (3 + forward + written), memory=3 * outlook.model_bytes)


@stage("evaluate", Config, needs=("tokenizer", "embed"), estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Measure characters per token, bits per byte and generated characters per second, before and after."""
    dataset = context.latest_folder("dataset")
    texts = {language: _texts(dataset, language, config) for language in (context.manifest.language, "en")}
    texts = {language: chosen for language, chosen in texts.items() if chosen}
    if context.manifest.language not in texts:
        raise CorpusError(
            f"no held-out text in {context.manifest.language!r} has {config.max_characters // 4} characters or more.",
            "Lower `max_characters` of the stage evaluate, or raise `held_out` of the stage corpus.",
        )
    origin = split_file(dataset, "test").relative_to(dataset).as_posix()
    about = {"dataset": origin, "revision": f"sha256:{hash_file(split_file(dataset, 'test'))}"}
    models = dict(_models(context))
    metrics: list[Metric] = []
    probes: dict[str, Any] = {}
    with context.progress(
        "measuring", len(models) * sum(len(chosen) + config.prompts for chosen in texts.values())
    ) as advance:
        for name, folder in models.items():
            model, tokenizer = load_model(folder), load_tokenizer(folder)
            for language, chosen in texts.items():
                for number in _measure(model, tokenizer, chosen, config, advance):
                    keys = ("name", "value", "unit", "higher_is_better", "n", "stderr")
                    values = dict(zip(keys, number, strict=True))
                    metrics.append(Metric(model=name, language=language, **about, **values))
            probes[name] = _probe(model, tokenizer, f"{_PROBE} {texts[context.manifest.language][0]}")
    rows = {language: len(chosen) for language, chosen in texts.items()}
    return StageResult(metrics=tuple(metrics), facts={"texts": rows, "probes": probes})


def _models(context: StageContext) -> Iterator[tuple[str, Path]]:
    """Every source, then the newest adapted form of each."""
    yield from context.sources.items()
    artifacts = [artifact for artifact in context.manifest.artifacts() if artifact.kind == "model"]
    newest = {artifact.of: artifact for artifact in artifacts}
    for artifact in newest.values():
        yield artifact.name, context.run / artifact.folder


def _texts(dataset: Path, language: str, config: Config) -> list[str]:
    passages = [first_passage(text, config.max_characters) for text in read_split(dataset, "test", language)]
    return pick_evenly([passage for passage in passages if len(passage) >= config.max_characters // 4], config.texts)


def _measure(
    model: Any, tokenizer: Any, texts: list[str], config: Config, advance: Callable[[int], object]
) -> list[tuple[str, float, str, bool | None, int, float | None]]:
    """Name, value, unit, whether higher is better, n and standard error of each number."""
    from hubadapt.evaluation.bits_per_byte import bits_per_byte
    from hubadapt.evaluation.speed import generation_speed
    from hubadapt.tokenizer.measure import characters_per_token

    density = characters_per_token(tokenizer.backend_tokenizer, texts)
    bits = bits_per_byte(model, tokenizer, texts, advance)
    prompts = [first_passage(text, 80) for text in pick_evenly(texts, config.prompts)]
    speed = generation_speed(model, tokenizer, prompts, new_tokens=config.new_tokens, advance=advance)
    held_out = speed.tokens_per_second * density.value
    return [
        ("characters_per_token", density.value, "characters/token", True, density.n, density.stderr),
        ("bits_per_byte", bits.value, "bits/byte", False, bits.n, bits.stderr),
        ("generated_characters_per_second", speed.characters_per_second, "characters/s", True, speed.n, None),
        # What is generated may be unlike real text; this is the speed of writing the held-out text itself.
        ("held_out_characters_per_second", held_out, "characters/s", True, speed.n, None),
        ("generated_tokens_per_second", speed.tokens_per_second, "tokens/s", None, speed.n, None),
    ]


def _probe(model: Any, tokenizer: Any, text: str) -> dict[str, Any]:
    """Ids of a text and the five highest logits after it: what a reader of the published model must get too."""
    import torch

    ids = tokenizer.encode(text, add_special_tokens=False)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].float()
    top = logits.topk(5)
    return {"text": text, "ids": ids, "top_ids": top.indices.tolist(), "top_logits": top.values.tolist()}
