"""A comparison as plain text for a terminal."""

from __future__ import annotations

import unicodedata

from hubadapt.compare.answers import Column


def side_by_side(prompt: str, columns: list[Column]) -> str:
    """The prompt, then for each model its answer, its tokens with their borders, and its figures."""
    blocks = [f"prompt: {_plain(prompt)}"]
    for column in columns:
        answer = column.answer
        per_token = len(answer.text) / max(len(answer.tokens), 1)
        blocks.append(
            "\n".join(
                [
                    f"── {column.name}",
                    f"prompt tokens ({len(column.prompt)}): {_pieces(column.prompt)}",
                    f"answer tokens ({len(answer.tokens)}): {_pieces(answer.tokens)}",
                    f"answer: {_plain(answer.text)}",
                    f"{len(answer.text)} characters in {answer.seconds:.2f} s: "
                    f"{len(answer.text) / answer.seconds:.1f} characters/s, {per_token:.2f} characters/token",
                ]
            )
        )
    return "\n\n".join(blocks)


def _pieces(tokens: tuple[str, ...]) -> str:
    return "│".join(_plain(token) for token in tokens)


def _plain(text: str) -> str:
    """Text on one line without control characters, which a terminal would obey."""
    return "".join("⏎" if char == "\n" else char if unicodedata.category(char)[0] != "C" else "�" for char in text)
