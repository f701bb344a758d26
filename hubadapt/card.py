"""Renders cards: manifest in, Markdown out. No clock, no network, no model, no number that the manifest lacks."""

from __future__ import annotations

import re
from typing import Any

import jinja2
import yaml

from hubadapt.assets import asset
from hubadapt.lineage import Names, parents
from hubadapt.types import Artifact, Manifest, Metric
from hubadapt.usage import usage_snippet

LANGUAGE_NAMES = {
    "ar": "Arabic", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "el": "Greek", "en": "English",
    "fa": "Persian", "he": "Hebrew", "hi": "Hindi", "hy": "Armenian", "ka": "Georgian", "kk": "Kazakh", "ru": "Russian",
    "sr": "Serbian", "ta": "Tamil", "te": "Telugu", "th": "Thai", "uk": "Ukrainian", "ur": "Urdu",
}  # fmt: skip


def model_card(manifest: Manifest, artifact: Artifact, names: Names, *, notes: str = "") -> str:
    """The card of one published model.

    Args:
        manifest: The run.
        artifact: A model of it.
        names: What things are called on the Hub.
        notes: The owner's own words, included untouched.
    """
    origin = [names[name] for name in parents(manifest, artifact)]
    front = {
        "language": [manifest.language, "en"],
        "license": manifest.license,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": origin,
        "base_model_relation": "finetune",
        "datasets": [names[other.name] for other in manifest.artifacts() if other.kind == "dataset"],
        "tags": _tags(artifact),
    }
    return _render(
        "model_card.md.jinja",
        front,
        manifest=manifest,
        artifact=artifact,
        names=names,
        notes=notes,
        origin=origin,
        parents=parents(manifest, artifact),
        comparison=comparison(manifest, artifact),
        sample=_sample(manifest, artifact, names),
    )


def source_card(manifest: Manifest, name: str, names: Names) -> str:
    """The card of a source model that existed only as a folder and is published with the run."""
    front = {
        "language": ["en"],
        "license": manifest.license,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["hubadapt"],
    }
    return _render(
        "source_card.md.jinja", front, manifest=manifest, name=name, ref=manifest.sources()[name], names=names
    )


def dataset_card(manifest: Manifest, artifact: Artifact, names: Names) -> str:
    """The card of one published dataset."""
    record = next(record for record in manifest.stages if artifact in record.artifacts)
    table = record.facts["sources"]
    licenses = sorted({row["license"] for row in table})
    front = {
        "language": sorted({row["language"] for row in table}),
        "license": licenses[0].lower() if len(licenses) == 1 else "other",
        **({} if len(licenses) == 1 else {"license_name": "mixed", "license_link": "#licences"}),
        "task_categories": ["text-generation"],
        "tags": ["hubadapt"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in ("train", "test")],
            }
        ],
    }
    return _render(
        "dataset_card.md.jinja",
        front,
        manifest=manifest,
        table=table,
        licenses=licenses,
        record=record,
        repository=names[artifact.name],
    )


def comparison(manifest: Manifest, artifact: Artifact) -> list[dict[str, Any]]:
    """Rows of the before/after table: a metric in a language, for the source and for the artifact."""
    before = {(metric.name, metric.language): metric for metric in manifest.metrics() if metric.model == artifact.of}
    after = {(metric.name, metric.language): metric for metric in manifest.metrics() if metric.model == artifact.name}
    return [_row(before[key], after[key]) for key in before if key in after]


def _row(before: Metric, after: Metric) -> dict[str, Any]:
    ratio = after.value / before.value if before.value else None
    return {
        "name": before.name,
        "language": before.language,
        "unit": before.unit,
        "before": before,
        "after": after,
        "ratio": ratio,
        "better": before.higher_is_better,
    }


def _tags(artifact: Artifact) -> list[str]:
    return ["hubadapt", "vocabulary-adaptation", "tokenizer-adaptation", *(["lep"] if artifact.of != "base" else [])]


def _sample(manifest: Manifest, artifact: Artifact, names: Names) -> dict[str, str] | None:
    for record in manifest.stages:
        sample = record.facts.get("samples", {}).get(artifact.name)
        if sample:
            code = usage_snippet(
                names[artifact.name],
                prompt=sample["prompt"],
                max_new_tokens=sample["max_new_tokens"],
                chat=sample["chat"],
            )
            return {"code": code, "output": sample["output"]}
    return None


def _render(template: str, front: dict[str, Any], **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(asset("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(cell=_cell, fence=_fence, number=_number, flat=_flat)
    environment.globals.update(
        language_name=lambda code: LANGUAGE_NAMES.get(code, code),
        stage_template=lambda kind: _stage_template(environment, kind),
    )
    body = environment.get_template(template).render(**values)
    text = f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{body}"
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _stage_template(environment: jinja2.Environment, kind: str) -> jinja2.Template:
    return environment.select_template([f"stages/{kind}.md.jinja", "stages/generic.md.jinja"])


def _cell(value: object) -> str:
    """Text made safe for one cell of a Markdown table."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "\\`")
    return " ".join(text.split())


def _fence(text: str, info: str = "") -> str:
    """Text in a code fence longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{info}\n{text.rstrip()}\n{marks}"


def _number(value: float, digits: int = 4) -> str:
    """A number with some significant digits, without exponent for everyday sizes."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.{digits}g}"


def _flat(value: object) -> str:
    """A JSON value on one line, long ones cut."""
    text = (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).strip()
    )
    text = text.removesuffix("\n...").strip()
    return text if len(text) <= 200 else text[:199] + "…"
