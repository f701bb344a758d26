"""`hubadapt compare`."""

from __future__ import annotations

import click


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--prompt", required=True, help="What both models get.")
@click.option("--text", "as_text", is_flag=True, help="Print to the terminal.")
@click.option("--max-new-tokens", default=48, show_default=True, help="Length of an answer at the most.")
def compare(models: tuple[str, ...], prompt: str, as_text: bool, max_new_tokens: int) -> None:
    """Put the answers and tokens of models side by side: MODELS are folders, Hub ids, or one run folder."""
    from pathlib import Path

    from hubadapt.compare.answers import ask
    from hubadapt.compare.text import side_by_side

    if not as_text:
        raise click.UsageError("The page is not there yet; add --text.")
    click.echo(side_by_side(prompt, ask(models, prompt, start=Path(), max_new_tokens=max_new_tokens)))
