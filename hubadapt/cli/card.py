"""`hubadapt card`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "namespace", default="NAMESPACE", show_default=True, help="User or organisation in links.")
def card(run: Path, namespace: str) -> None:
    """Write the cards of every repository that RUN would publish into RUN/cards."""
    from hubadapt.hub.publish import draft, write_cards

    for path in write_cards(run, draft(run, namespace)):
        click.echo(str(path))
