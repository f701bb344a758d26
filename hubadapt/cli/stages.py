"""`hubadapt stages`."""

from __future__ import annotations

import click


@click.command()
@click.argument("kind", required=False)
def stages(kind: str | None) -> None:
    """List the stages a recipe can name, with their keys and defaults, or only KIND."""
    from hubadapt.stages import find_stage
    from hubadapt.stages import stages as all_stages

    for stage in [find_stage(kind)] if kind else all_stages().values():
        click.echo(f"{stage.kind}: {stage.summary}" + (f" (after {', '.join(stage.needs)})" if stage.needs else ""))
        for name, field in stage.config.model_fields.items():
            default = "required" if field.is_required() else f"default {field.default}"
            click.echo(f"    {name}: {field.description or ''} [{default}]")
