"""`hubadapt new`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("base")
@click.argument("language")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("recipe.yaml"), show_default=True, help="File to write."
)
@click.option(
    "--sibling", "siblings", multiple=True, help="A tune of BASE to carry the vocabulary into; may be repeated."
)
@click.option("--text", "texts", multiple=True, help="A .txt, .jsonl or .parquet file in LANGUAGE; may be repeated.")
@click.option("--license", "license_", required=True, help="Licence of what you publish, such as apache-2.0.")
@click.option("--text-license", required=True, help="Licence of the text, such as cc-by-4.0.")
def new(
    base: str,
    language: str,
    out: Path,
    siblings: tuple[str, ...],
    texts: tuple[str, ...],
    license_: str,
    text_license: str,
) -> None:
    """Write a starter recipe for BASE (Hub id or folder) and LANGUAGE (such as ru)."""
    from hubadapt.starter import write_starter

    write_starter(
        out, base=base, language=language, siblings=siblings, texts=texts, license=license_, text_license=text_license
    )
    click.echo(f"Wrote {out}. Next: hubadapt check {out}")
