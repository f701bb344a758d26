"""`hubadapt check`."""

from __future__ import annotations

from pathlib import Path

import click

from hubadapt.cli.words import duration, size


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
def check(recipe: Path) -> None:
    """Validate RECIPE, resolve every revision and estimate memory, disk and time; nothing is written."""
    from hubadapt.errors import raise_all
    from hubadapt.licences import open_questions
    from hubadapt.outlook import forecast
    from hubadapt.recipe import read_recipe

    found = forecast(read_recipe(recipe))
    for name, source in found.sources.items():
        click.echo(f"{name:<12} {source.ref.id} @ {source.ref.revision[:19]} ({size(source.model_bytes)})")
    for kind, cost in found.costs.items():
        click.echo(
            f"{kind:<12} about {duration(cost.seconds):>12}, memory {size(cost.memory):>8}, disk {size(cost.disk):>8}"
        )
    total = found.total
    click.echo(
        f"{'in all':<12} about {duration(total.seconds):>12}, memory {size(total.memory):>8}, "
        f"disk {size(total.disk):>8}"
    )
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    # A run may go on without an answer to these, a push may not.
    raise_all(open_questions(found.licences))
