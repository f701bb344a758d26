"""`hubadapt card`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubadapt.cli.layout import layout_option

if TYPE_CHECKING:
    from hubadapt.lineage import Layout


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "namespace", default="NAMESPACE", show_default=True, help="User or organisation in links.")
@layout_option
def card(run: Path, namespace: str, layout: Layout) -> None:
    """Write the cards of every repository that RUN would publish into RUN/cards."""
    from hubadapt.hub.draft import draft, write_cards

    for path in write_cards(draft(run, namespace, layout)):
        click.echo(str(path))
