"""`hubadapt verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "namespace", required=True, help="User or organisation it was published under.")
@click.option("--python", default=sys.executable, help="Interpreter to load with, such as one with transformers 4.57.")
def verify(run: Path, namespace: str, python: str) -> None:
    """Load the published models of RUN with from_pretrained alone; compare ids and logits with what it recorded."""
    from huggingface_hub import constants

    from hubadapt.lineage import Names
    from hubadapt.manifest import read_manifest
    from hubadapt.verify import verify_published

    manifest = read_manifest(run)
    names = Names(manifest, namespace)
    for name, difference in verify_published(manifest, names, endpoint=constants.ENDPOINT, python=python).items():
        click.echo(f"{names[name]}: ids equal, logits within {difference:.1g}")
