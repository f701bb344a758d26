"""`hubadapt run`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME beside the recipe]")
def run(recipe: Path, out: Path | None) -> None:
    """Run the stages of RECIPE; what is intact is skipped, what was interrupted goes on."""
    from hubadapt.cli.progress import bar
    from hubadapt.recipe import read_recipe
    from hubadapt.runner import run_recipe

    parsed = read_recipe(recipe)
    folder = out or recipe.parent / "runs" / parsed.name
    run_recipe(parsed, folder, progress=bar, report=lambda kind, event: click.echo(f"{kind}: {event}", err=True))
    click.echo(f"The run is in {folder}. Next: hubadapt push {folder} --to NAMESPACE --dry-run")
