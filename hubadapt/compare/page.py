"""The side-by-side page: the same Gradio application on this machine and as a Space."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from hubadapt.compare.answers import Column, answer

_LENGTH = 48


def build_page(models: dict[str, Path], *, prompt: str = "") -> gr.Blocks:
    """A page that puts the answers and tokens of two models side by side.

    Args:
        models: Folder of each model to choose from, by name; the first and the last are shown at the beginning.
        prompt: Text to start with.
    """
    names = list(models)
    with gr.Blocks(title="hubadapt: side by side") as page:
        gr.Markdown("# Side by side\nOne prompt, two models. Every other token is coloured; greedy generation.")
        box = gr.Textbox(prompt, label="Prompt", lines=2)
        button = gr.Button("Compare", variant="primary")
        with gr.Row():
            for name in (names[0], names[-1]):
                with gr.Column():
                    choice = gr.Dropdown(names, value=name, label="Model")
                    shown = gr.HighlightedText(
                        label="Answer, token by token", combine_adjacent=False, show_inline_category=False
                    )
                    figures = gr.Markdown()
                button.click(_side(models), [choice, box], [shown, figures], show_progress="minimal")
    return page


def _side(models: dict[str, Path]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - Gradio reads this signature
    def show(name: str, prompt: str) -> tuple[list[tuple[str, str]], str]:
        if not prompt.strip():
            raise gr.Error("Write a prompt first.")
        column = answer(name, models[name], prompt, max_new_tokens=_LENGTH)
        return coloured(column), figures(column)

    return show


def coloured(column: Column) -> list[tuple[str, str]]:
    """The answer's tokens with alternating labels, so that their borders show."""
    return [(token, "ab"[number % 2]) for number, token in enumerate(column.answer.tokens)]


def figures(column: Column) -> str:
    """Counts and speed of one answer as a line of Markdown."""
    text, tokens, seconds = column.answer.text, len(column.answer.tokens), column.answer.seconds
    return (
        f"prompt **{len(column.prompt)}** tokens · answer **{len(text)}** characters in **{tokens}** tokens · "
        f"**{len(text) / max(tokens, 1):.2f}** characters/token · **{len(text) / seconds:.1f}** characters/s"
    )
