"""`hubadapt push`."""

from __future__ import annotations

from pathlib import Path

import click

from hubadapt.cli.words import size


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "namespace", required=True, help="User or organisation to publish under.")
@click.option("--private", is_flag=True, help="Make new repositories private.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
def push(run: Path, namespace: str, private: bool, dry_run: bool) -> None:
    """Publish the weights, datasets and cards of RUN: one commit for each repository that changed."""
    from hubadapt.hub.publish import prepare, publish

    plans = prepare(run, namespace)
    if dry_run:
        for plan in plans:
            click.echo(f"{plan.type:<8} {plan.id}  {len(plan.uploads)} files, at most {size(plan.size)}")
            for upload in plan.uploads:
                click.echo(f"           {upload.path}  {size(upload.size)}")
        return
    for done in publish(
        run, plans, private=private, report=lambda plan, event: click.echo(f"{plan.id}: {event}", err=True)
    ):
        click.echo(f"{done.url}  {'unchanged' if not done.files else f'{done.files} files'}  {done.commit[:12]}")
