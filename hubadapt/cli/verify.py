"""`hubadapt verify`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubadapt.cli.layout import layout_option
from hubadapt.cli.words import size

if TYPE_CHECKING:
    from hubadapt.lineage import Layout
    from hubadapt.verify.case import Case
    from hubadapt.verify.finding import Finding

_COUNTED = {"same": "hold", "differs": "differ", "not measured": "were not measured"}
_LONGEST = 40


@click.command()
@click.argument("model")
@click.option("--to", "namespace", help="With a run folder: user or organisation it was published under.")
@layout_option
@click.option("--before/--no-before", default=True, help="Also measure the model that it was made from.")
@click.option("--python", help="Also load it with this interpreter, such as one with transformers 4.57.")
@click.option("--json", "as_json", is_flag=True, help="Print findings as JSON.")
def verify(model: str, namespace: str | None, layout: Layout, before: bool, python: str | None, as_json: bool) -> None:
    """Download a published MODEL and measure again what its card claims; exit code 1 where a claim does not hold.

    MODEL is a Hub id, owner/name or owner/name@revision, or a run folder, which stands for all models published of it.
    Only safetensors are read, and no code of the repository is run.
    """
    from hubadapt.manifest import MANIFEST_NAME
    from hubadapt.verify.case import cases_of_run, open_case

    folder = Path(model)
    if (folder / MANIFEST_NAME).is_file() or model.startswith((".", "/", "~")):
        if namespace is None:
            raise click.UsageError("A run folder needs --to NAMESPACE.")
        cases = cases_of_run(folder, namespace, layout, before=before)
    elif namespace is not None:
        raise click.UsageError("--to belongs to a run folder.")
    else:
        cases = iter([open_case(model, before=before)])
    found = [(case, _verify(case, python)) for case in cases]
    if as_json:
        click.echo(json.dumps([_plain(case, findings) for case, findings in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(_table(case, findings) for case, findings in found))
    sys.exit(any(finding.verdict == "differs" for _, findings in found for finding in findings))


def _verify(case: Case, python: str | None) -> list[Finding]:
    from huggingface_hub import constants

    from hubadapt.verify.model import read_model_elsewhere, verify_model

    cache = Path(constants.HF_HUB_CACHE)
    disk = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = size(shutil.disk_usage(disk).free)
    click.echo(
        f"{case.published.at}: {size(case.size)}, of which {size(case.missing)} are to be downloaded; {free} are free",
        err=True,
    )
    found = verify_model(case, lambda step: click.echo(f"  {step}", err=True))
    return [*found, *(read_model_elsewhere(case, endpoint=constants.ENDPOINT, python=python) if python else ())]


def _table(case: Case, findings: Sequence[Finding]) -> str:
    """A row for each claim, and how many hold."""
    rows = [("claim", "claimed", "measured", "within", "verdict", "")]
    rows += [
        (
            found.what,
            _shown(found.claimed),
            _shown(found.measured),
            _shown(found.tolerance),
            found.verdict,
            found.reason,
        )
        for found in findings
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    counts = [f"{sum(found.verdict == verdict for found in findings)} {words}" for verdict, words in _COUNTED.items()]
    return "\n".join([case.published.at, *(line.rstrip() for line in lines), ", ".join(counts)])


def _shown(value: float | str | None) -> str:
    """A value in a cell of the table, on one line and not too long."""
    text = "" if value is None else value if isinstance(value, str) else f"{value:.6g}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(case: Case, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "model": case.published.id,
        "commit": case.published.commit,
        "holds": not any(found.verdict == "differs" for found in findings),
        "findings": [asdict(found) for found in findings],
    }
