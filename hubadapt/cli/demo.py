"""`hubadapt demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for everything it makes.",
)
@click.option("--texts", type=click.Path(path_type=Path), help="Folder into which the text packages were installed.")
@click.option(
    "--to", "namespace", help="Publish to the real Hub under this namespace (needs HF_TOKEN), not to the embedded one."
)
def demo(out: Path, texts: Path | None, namespace: str | None) -> None:
    """Give SmolLM2-135M a Russian vocabulary, from the text to the published model, in about ten minutes."""
    from hubadapt.cli.progress import bar
    from hubadapt.demo.show import run_demo

    run_demo(out, texts=texts, namespace=namespace, progress=bar, say=click.echo)
