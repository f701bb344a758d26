"""Stage `evaluate`: measures every source and its adapted form on held-out text of every language of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from hubadapt.corpus.dataset import read_split, split_file, split_languages
from hubadapt.corpus.split import first_passage, pick_evenly
from hubadapt.errors import CorpusError
from hubadapt.manifest import hash_file
from hubadapt.model import load_model, load_tokenizer
from hubadapt.stages import Cost, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.types import Metric

# A prompt is the beginning of a text, whole lines up to this.
_PROMPT_CHARACTERS = 80
_PROBE = "Language models read and write text in tokens."
_KEYS = ("name", "value", "unit", "higher_is_better", "n", "stderr")


class Config(StageConfig):
    """Parameters of the evaluate stage."""

    texts: int = Field(48, gt=0, description="Held-out texts a language, spread evenly over the test split")
    max_characters: int = Field(400, gt=0, description="A text is the beginning of a document, whole lines up to this")
    prompts: int = Field(5, gt=0, description="Beginnings of texts continued one by one to measure speed, a language")
    new_tokens: int = Field(32, gt=0, description="Tokens written after the beginning of every text")


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward passes over texts and their beginnings at some 1.4 (old) and 4 characters a token, and generation.

    A step of generation reads all weights once; where many texts are continued at once, each of them computes, too.
    """
    models = 2 + 2 * outlook.siblings
    sources = getattr(outlook.configs.get("corpus"), "sources", ())
    languages = len({outlook.language, *(source.language for source in sources)})
    a_token = 2 * outlook.parameters / (0.5 * outlook.flops)
    a_step = outlook.model_bytes / 7e9 + 0.02
    characters = languages / 2 * config.texts * (config.max_characters * 0.6 + _PROMPT_CHARACTERS)
    forward = characters * (1 / 1.8 + 1 / 4.4) * a_token
    alone = 2 * config.prompts * config.new_tokens * a_step
    together = 2 * config.new_tokens * (a_step + config.texts * a_token)
    writing = languages / 2 * (alone + together)
    return Cost(seconds=models * (3 + forward + writing), memory=3 * outlook.model_bytes)


@stage("evaluate", Config, needs=("tokenizer", "embed"), estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Measure characters per token, bits per byte and the speed of writing, before and after."""
    dataset = context.latest_folder("dataset")
    texts = _held_out(context, config)
    origin = split_file(dataset, "test")
    about = {"dataset": origin.relative_to(dataset).as_posix(), "revision": f"sha256:{hash_file(origin)}"}
    models = dict(_models(context))
    metrics: list[Metric] = []
    probes: dict[str, Any] = {}
    steps = sum(2 * len(chosen) + min(config.prompts, len(chosen)) for chosen in texts.values())
    with context.progress("measuring", len(models) * steps) as advance:
        for name, folder in models.items():
            model, tokenizer = load_model(folder), load_tokenizer(folder)
            for language, chosen in texts.items():
                for number in _measure(model, tokenizer, chosen, config, advance):
                    values = dict(zip(_KEYS, number, strict=True))
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


def _held_out(context: StageContext, config: Config) -> dict[str, list[str]]:
    """The texts to measure on, by language: the target, English, and what else the corpus has held out.

    Raises:
        CorpusError: There is none of the target language.
    """
    dataset = context.latest_folder("dataset")
    languages = dict.fromkeys((context.manifest.language, "en", *split_languages(dataset, "test")))
    texts = {language: held_out_passages(dataset, language, config) for language in languages}
    texts = {language: chosen for language, chosen in texts.items() if chosen}
    if context.manifest.language not in texts:
        raise CorpusError(
            f"no held-out text in {context.manifest.language!r} has {config.max_characters // 4} characters or more.",
            "Lower `max_characters` of the stage evaluate, or raise `held_out` of the stage corpus.",
        )
    return texts


def held_out_passages(dataset: Path, language: str, config: Config) -> list[str]:
    """The texts of a language that models are measured on, from the held-out split of a dataset folder."""
    passages = [first_passage(text, config.max_characters) for text in read_split(dataset, "test", language)]
    return pick_evenly([passage for passage in passages if len(passage) >= config.max_characters // 4], config.texts)


def beginning(text: str) -> str:
    """The part of a text that models are given to continue."""
    return first_passage(text, _PROMPT_CHARACTERS)


def _measure(
    model: Any, tokenizer: Any, texts: list[str], config: Config, advance: Callable[[int], object]
) -> list[tuple[str, float, str, bool | None, int, float | None]]:
    """The values of `_KEYS` for each number."""
    from hubadapt.evaluation.bits_per_byte import bits_per_byte
    from hubadapt.evaluation.generated import generated_characters_per_token
    from hubadapt.evaluation.speed import generation_speed
    from hubadapt.tokenizer.measure import characters_per_token

    held_out = characters_per_token(tokenizer.backend_tokenizer, texts)
    bits = bits_per_byte(model, tokenizer, texts, advance)
    beginnings = [beginning(text) for text in texts]
    prompts, length = pick_evenly(beginnings, config.prompts), config.new_tokens
    generated = generated_characters_per_token(model, tokenizer, beginnings, new_tokens=length, advance=advance)
    speed = generation_speed(model, tokenizer, prompts, new_tokens=length, advance=advance)
    n = len(prompts)
    return [
        ("characters_per_token", held_out.value, "characters/token", True, held_out.n, held_out.stderr),
        ("bits_per_byte", bits.value, "bits/byte", False, bits.n, bits.stderr),
        ("generated_characters_per_token", generated.value, "characters/token", True, generated.n, generated.stderr),
        ("generated_characters_per_second", speed * generated.value, "characters/s", True, n, None),
        # What is generated may be unlike real text; this is the speed of writing the held-out text itself.
        ("held_out_characters_per_second", speed * held_out.value, "characters/s", True, n, None),
        ("generated_tokens_per_second", speed, "tokens/s", None, n, None),
    ]


def _probe(model: Any, tokenizer: Any, text: str) -> dict[str, Any]:
    """Ids of a text and the five highest logits after it: what a reader of the published model must get too."""
    import torch

    ids = tokenizer.encode(text, add_special_tokens=False)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].float()
    top = logits.topk(5)
    return {"text": text, "ids": ids, "top_ids": top.indices.tolist(), "top_logits": top.values.tolist()}
