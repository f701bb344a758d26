"""`hubadapt push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubadapt.cli.layout import layout_option
from hubadapt.cli.words import size

if TYPE_CHECKING:
    from hubadapt.hub.draft import Draft
    from hubadapt.hub.publish import Published
    from hubadapt.lineage import Layout


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "namespace", required=True, help="User or organisation to publish under.")
@click.option("--private", is_flag=True, help="Make new repositories private; there is no Space then.")
@layout_option
@click.option("--replace", multiple=True, metavar="COMMIT", help="Give up what this commit on the Hub changed.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
def push(run: Path, namespace: str, private: bool, layout: Layout, replace: tuple[str, ...], dry_run: bool) -> None:
    """Publish the weights, datasets and cards of RUN: one commit for each repository that changed."""
    from hubadapt.hub.draft import prepare
    from hubadapt.hub.publish import publish

    draft = prepare(run, namespace, layout)
    if dry_run:
        _print_plan(draft, private)
        return
    published = publish(
        draft,
        private=private,
        replace=replace,
        report=lambda address, event: click.echo(f"{address}: {event}", err=True),
    )
    for done in published:
        click.echo(f"{done.url}  {_what(done)}")
    new = sum(done.size for done in published)
    click.echo(f"new on the Hub: {f'at most {size(new)}' if new else 'nothing'}")


def _print_plan(draft: Draft, private: bool) -> None:
    plans, collection = draft.plans, draft.collection
    for plan in plans:
        if plan.type == "space":
            click.echo(f"collection {collection.namespace}/{collection.title}  {len(collection.items) - private} items")
        if plan.type == "space" and private:
            break
        click.echo(f"{plan.type:<10} {plan.address}  {len(plan.uploads)} files, at most {size(plan.size)}")
        for upload in plan.uploads:
            click.echo(f"             {upload.path}  {size(upload.size)}")
    click.echo(f"in all at most {size(sum(plan.size for plan in plans))}")


def _what(done: Published) -> str:
    if done.left_out:
        return f"left out: {done.left_out}"
    if not done.files:
        return f"unchanged  {done.commit[:12]}".rstrip()
    if done.type == "collection":
        return f"{done.files} items"
    return f"{done.files} files, {size(done.size)}  {done.commit[:12]}"
