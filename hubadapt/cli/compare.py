"""`hubadapt compare`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--prompt", help="What every model gets.")
@click.option("--text", "as_text", is_flag=True, help="Print to the terminal instead of opening a page.")
@click.option("--max-new-tokens", default=48, show_default=True, help="Length of an answer at the most, with --text.")
@click.option("--port", default=7860, show_default=True, help="Port of the page on 127.0.0.1.")
def compare(models: tuple[str, ...], prompt: str | None, as_text: bool, max_new_tokens: int, port: int) -> None:
    """Put models side by side: answers, tokens and speed. MODELS are folders, Hub ids, or one run folder."""
    from hubadapt.compare.answers import answer, find_models

    if as_text and not prompt:
        raise click.UsageError("--text needs a --prompt.")
    found = find_models(models, Path())
    if prompt and as_text:
        from hubadapt.compare.text import side_by_side

        columns = [answer(name, folder, prompt, max_new_tokens=max_new_tokens) for name, folder in found.items()]
        click.echo(side_by_side(prompt, columns))
        return
    from hubadapt.compare.page import build_page

    build_page(found, prompt=prompt or "").launch(server_name="127.0.0.1", server_port=port)
