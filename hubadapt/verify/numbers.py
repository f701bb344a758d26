"""Numbers of a model on recorded texts, measured again by the functions that measured them first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubadapt.errors import UserError
from hubadapt.ratio import Ratio
from hubadapt.stages.evaluate import Config, beginning, held_out_passages
from hubadapt.types import Manifest, Metric
from hubadapt.verify.card import Claims
from hubadapt.verify.finding import Finding, differs, not_measured, number

_MOST_TOKENS = 4096

Numbers = Mapping[tuple[str, str], Ratio] | str
"""What was measured, by name and language; or why nothing was."""

Measure = Callable[[Any, Any, Sequence[str], Config], Ratio]
"""A model, its tokenizer, texts and how they are measured → the number."""


def number_findings(name: str, record: Manifest, claims: Claims, measured: Numbers) -> Iterator[Finding]:
    """What became of every number that a record holds of one model, and a card tells.

    Args:
        name: The model's name in the run.
        record: The run.
        claims: What the card's metadata tell; none for a model that has another card.
        measured: What was measured.
    """
    speeds = 0
    for metric in record.metrics():
        if metric.model != name:
            continue
        if metric.unit.endswith("/s"):
            speeds += 1
            continue
        yield from _findings(metric, claims.get((metric.name, metric.language)), measured)
    known = {(metric.name, metric.language) for metric in record.metrics() if metric.model == name}
    for key in claims.keys() - known:
        yield not_measured(" ".join(key).strip(), "the record does not hold it", claims[key])
    if speeds:
        yield not_measured(f"{speeds} speeds", f"of the machine that ran it: {record.hardware.get('processor', '?')}")


def _findings(metric: Metric, told: float | None, measured: Numbers) -> Iterator[Finding]:
    what, claimed = f"{metric.name} {metric.language}".strip(), metric.value if told is None else told
    if told is not None and abs(told - metric.value) > 1e-9 * abs(metric.value):
        yield differs(f"{what} of card and record", told, metric.value, "the card does not tell what was recorded")
    found = measured if isinstance(measured, str) else measured.get((metric.name, metric.language))
    if found is None:
        yield not_measured(what, "verify has no measure of that name", claimed)
    elif isinstance(found, str):
        yield not_measured(what, found, claimed)
    elif found.n != metric.n:
        yield not_measured(what, f"it was over {metric.n} texts, the dataset gives {found.n}", claimed)
    else:
        within, reason = _tolerance(metric)
        yield number(what, claimed, found.value, within=within, reason=reason)


def _tolerance(metric: Metric) -> tuple[float, str]:
    if metric.name == "characters_per_token":
        return 1e-9 * metric.value, "counts of the same texts"
    if metric.name == "bits_per_byte":
        return 1e-4 * metric.value, "rounding of float32"
    # Where two tokens are as likely but for rounding, another machine takes the other one and goes on from there.
    return metric.stderr or 0.01 * metric.value, "one standard error"


def measure_again(model: Any, tokenizer: Any, folder: Path, record: Manifest, languages: Sequence[str]) -> Numbers:
    """Measure a model as its record says that it was measured.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        folder: The dataset with the held-out split.
        record: The run, which tells how it measured.
        languages: Languages of the texts.
    """
    params = next((stage.params for stage in record.stages if stage.kind == "evaluate"), {})
    try:
        config = Config(**params)
        if config.new_tokens > _MOST_TOKENS:
            return f"each text would be continued by {config.new_tokens:,} tokens"
        texts = {language: held_out_passages(folder, language, config) for language in languages}
        return {
            (name, language): measure(model, tokenizer, chosen, config)
            for language, chosen in texts.items()
            if chosen
            for name, measure in _MEASURES.items()
        }
    except ValidationError as error:
        return f"another release measured it: {error.errors()[0]['msg']}"
    except UserError as error:
        return error.problem.removesuffix(".")


def _characters_per_token(model: Any, tokenizer: Any, texts: Sequence[str], config: Config) -> Ratio:
    from hubadapt.tokenizer.measure import characters_per_token

    return characters_per_token(tokenizer.backend_tokenizer, texts)


def _bits_per_byte(model: Any, tokenizer: Any, texts: Sequence[str], config: Config) -> Ratio:
    from hubadapt.evaluation.bits_per_byte import bits_per_byte

    return bits_per_byte(model, tokenizer, texts)


def _generated(model: Any, tokenizer: Any, texts: Sequence[str], config: Config) -> Ratio:
    from hubadapt.evaluation.generated import generated_characters_per_token

    prompts = [beginning(text) for text in texts]
    return generated_characters_per_token(model, tokenizer, prompts, new_tokens=config.new_tokens)


_MEASURES: Mapping[str, Measure] = {
    "characters_per_token": _characters_per_token,
    "bits_per_byte": _bits_per_byte,
    "generated_characters_per_token": _generated,
}
