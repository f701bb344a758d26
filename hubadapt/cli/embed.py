"""`hubadapt embed`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hubadapt.surgery.embed import Embedded


def _list_methods(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from hubadapt.embeddings import initialisations

    for name, method in initialisations().items():
        flags = " and ".join(f"--{need.removesuffix('s')}" for need in method.needs)
        needs = f" Needs {flags}." if flags else ""
        click.echo(f"{name}: {method.summary}{needs}")
        for option, default in method.options.items():
            click.echo(f"    {option} [default {default}]")
    context.exit()


@click.command()
@click.argument("model")
@click.option("--tokenizer", required=True, type=click.Path(path_type=Path), help="Folder with the new tokenizer.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--method", default="length(by=0.9)", show_default=True,
    help="How new rows begin: a name of --methods, with settings where you like: 'scaled(by=0.8)'.",
)  # fmt: skip
@click.option("--head-method", help="The same for a head that is not tied.  [default: as --method]")
@click.option("--donor", help="A model to take relations between tokens from: a folder or a Hub id.")
@click.option(
    "--text", "texts", multiple=True, type=click.Path(path_type=Path),
    help="Target-language text (.txt, .jsonl, .parquet); may be repeated.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Where randomness starts.")
@click.option("--link", is_flag=True, help="Hard-link files without a table instead of copying them.")
@click.option("--methods", is_flag=True, is_eager=True, expose_value=False, callback=_list_methods,
              help="List the methods and exit.")  # fmt: skip
def embed(
    model: str,
    tokenizer: Path,
    out: Path,
    method: str,
    head_method: str | None,
    donor: str | None,
    texts: tuple[Path, ...],
    seed: int,
    link: bool,
) -> None:
    """Give MODEL the rows of a new vocabulary. Its body is copied and never loaded.

    MODEL is a folder, a Hub id or a GGUF file. The tokenizer is one that the stage `tokenizer` made, or any other that
    extends or replaces the model's own.
    """
    from contextlib import ExitStack

    from hubadapt.checkpoint import require_empty
    from hubadapt.cli.progress import bar
    from hubadapt.corpus.documents import read_documents
    from hubadapt.surgery import embed as surgery
    from hubadapt.surgery.sources import model_folder

    require_empty(out)
    with ExitStack() as stack:
        base = stack.enter_context(model_folder(model, out.parent))
        start = surgery.Start(
            method=method,
            head_method=head_method,
            donor=None if donor is None else stack.enter_context(model_folder(donor, out.parent)),
            texts=[document.text for path in texts for document in read_documents(path, license="any")],
            seed=seed,
            body="link" if link else "copy",
        )
        tables = surgery.embed(base, tokenizer, out, start, progress=bar)
    click.echo(_as_text(tables, out))


def _as_text(tables: Mapping[str, Embedded], out: Path) -> str:
    lines = [
        f"{name}: {len(table.norms):,} new rows by {table.method}, mean norm {table.norms.mean():.3g} "
        f"(old rows {table.old_norm:.3g})"
        for name, table in tables.items()
        if len(table.norms)
    ]
    return "\n".join([*lines, f"Wrote {out}."])
