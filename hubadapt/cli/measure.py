"""`hubadapt measure`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click


@click.command()
@click.argument("tokenizer")
@click.option(
    "--text", "texts", multiple=True, required=True, metavar="FILE:LANG",
    help="Text to measure on, such as ru.jsonl:ru (.txt, .jsonl or .parquet, plain or .gz); may be repeated.",
)  # fmt: skip
@click.option(
    "--corpus", "corpora", multiple=True, metavar="FILE[:LANG]",
    help="Text to learn new tokens from; may be repeated.  [default: nine tenths of the documents of --text]",
)  # fmt: skip
@click.option("--sizes", help="Numbers of new tokens.  [default: 256,512,…,32768 as far as the text gives them]")
@click.option(
    "--min-occurrences", type=click.IntRange(1),
    help="A pair rarer than this is not merged.  [default: 100, less for a small corpus]",
)  # fmt: skip
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write everything as JSON.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Also draw it, as .png or .svg.")
def measure(
    tokenizer: str,
    texts: tuple[str, ...],
    corpora: tuple[str, ...],
    sizes: str | None,
    min_occurrences: int | None,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Measure how densely a tokenizer writes languages, and what new tokens would gain. Nothing is trained.

    TOKENIZER is a folder, a tokenizer.json or a Hub id. English text (--text FILE:en) is there to compare with; new
    tokens of languages that share its script must leave it as it is.
    """
    from hubadapt.cli.progress import bar
    from hubadapt.headroom import measure_tokenizer
    from hubadapt.tokenizer.table import as_text

    named = _by_language(texts)
    only = next(iter(named)) if len(named) == 1 else None
    learnt, numbers = _by_language(corpora, only), _sizes(sizes)
    _require_writable(json_path, (".json",))
    _require_writable(plot_path, (".png", ".svg"))
    report = measure_tokenizer(
        tokenizer, named, corpora=learnt, sizes=numbers, min_occurrences=min_occurrences, progress=bar
    )
    if plot_path:
        from hubadapt.tokenizer.plot import draw_report

        draw_report(report, plot_path)
    if json_path:
        import json

        from hubadapt.manifest import write_atomic
        from hubadapt.tokenizer.report import as_json

        write_atomic(json_path, json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n")
    click.echo(as_text(report))


def _by_language(values: Sequence[str], default: str | None = None) -> dict[str, list[Path]]:
    from hubadapt.errors import UserError

    found: dict[str, list[Path]] = defaultdict(list)
    for value in values:
        path, _, language = value.rpartition(":")
        if not path or not re.fullmatch(r"[a-z]{2,3}", language):
            path, language = value, default or ""
        if not language:
            raise UserError(f"{value} names no language.", f"Write it with its code, such as {value}:ru")
        found[language].append(Path(path).expanduser())
    return dict(found)


def _sizes(text: str | None) -> tuple[int, ...]:
    from hubadapt.errors import UserError

    try:
        return tuple(int(size) for size in text.split(",")) if text is not None else ()
    except ValueError:
        raise UserError(f"--sizes {text} is no list of numbers.", "Write it as --sizes 1024,4096,16384") from None


def _require_writable(path: Path | None, suffixes: tuple[str, ...]) -> None:
    """Stop before the work if its result could not be written."""
    import os

    from hubadapt.errors import UserError

    if path is None:
        return
    if path.suffix not in suffixes:
        raise UserError(f"{path} does not end in {' or '.join(suffixes)}.", f"Name it {path.stem}{suffixes[0]}")
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "cannot be written to" if folder.exists() else "does not exist"
        raise UserError(f"the folder {folder} {what}.", "Make it, or name a file in another folder.")
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Name a file in it.")
