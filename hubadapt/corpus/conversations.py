"""Reads conversations from JSON Lines and Parquet files, plain or compressed: `messages`, as TRL or Saiga has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubadapt.corpus.documents import checked, licensed
from hubadapt.corpus.files import Row, corpus_files, format_of, json_rows, parquet_rows, require_column, undamaged
from hubadapt.corpus.streams import Advance
from hubadapt.errors import CorpusError

Message = Mapping[str, str]
"""`role` and `content`."""

_COLUMN = "messages"
# Saiga calls the model a bot.
_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "bot": "assistant"}


@dataclass(frozen=True)
class Conversation:
    """One conversation with its provenance.

    Attributes:
        messages: A system message or none, then user and assistant in turn; the assistant has the last word.
        source: Where it comes from, as its row or file says.
        license: Its licence.
    """

    messages: tuple[Message, ...]
    source: str
    license: str


def read_conversations(
    path: Path, *, license: str | None, advance: Advance = lambda count: None
) -> Iterator[Conversation]:
    """Read the conversations of a file, or of every file in a folder, one by one.

    A row has `messages`, each with `role` (`system`, `user`, `assistant` or Saiga's `bot`) and `content`, and perhaps
    `source` and `license`.

    Args:
        path: The file or folder.
        license: Licence of rows that do not name one.
        advance: Called with bytes read of the files on disk.

    Raises:
        CorpusError: A file is missing, damaged or of another format, or a conversation is empty, out of order, ends
            with the user or has no licence.
    """
    for file in corpus_files(path):
        kind = format_of(file)
        if kind == ".txt":
            raise CorpusError(f"{file} is plain text, which holds no conversations.", "Use .jsonl or .parquet.")
        with undamaged(file):
            rows = (
                json_rows(file, advance)
                if kind == ".jsonl"
                else parquet_rows(file, (_COLUMN, "source", "license"), advance)
            )
            word = "line" if kind == ".jsonl" else "row"
            for number, row in rows:
                yield _conversation(row, file, f"{file} {word} {number}", license)


def _conversation(row: Row, file: Path, where: str, license: str | None) -> Conversation:
    require_column(_COLUMN, list(row), where)
    messages = row[_COLUMN]
    if not isinstance(messages, list) or not messages:
        raise CorpusError(f"{where} holds no conversation: `messages` is empty.", "Remove the row, or fill it.")
    found = tuple(message_of(message, f"{where}, message {place}") for place, message in enumerate(messages, start=1))
    require_order([message["role"] for message in found], where)
    return Conversation(found, str(row.get("source") or file.name), licensed(row.get("license") or license, where))


def message_of(message: Any, where: str) -> Message:
    """A message with the role as chat templates know it.

    Raises:
        CorpusError: It has another role, or no content.
    """
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if role not in _ROLES:
        raise CorpusError(f"{where} has the role {role!r}.", f"Use one of: {', '.join(_ROLES)}.")
    if not isinstance(content, str) or not content.strip():
        raise CorpusError(f"{where} of the {role} is empty.", "Remove the row, or fill it.")
    return {"role": _ROLES[role], "content": checked(content, where)}


def require_order(roles: list[str], where: str) -> None:
    """Stop where roles are not a system message or none, then user and assistant in turn, the assistant last.

    Raises:
        CorpusError: They are not.
    """
    turns = roles[1:] if roles[0] == "system" else roles
    if any(role != ("user", "assistant")[place % 2] for place, role in enumerate(turns)):
        raise CorpusError(
            f"{where} is out of order: {', '.join(roles)}.",
            "Write user and assistant in turn, after a system message or none.",
        )
    if not turns or turns[-1] != "assistant":
        raise CorpusError(f"{where} ends with the {roles[-1]}.", "Remove the last message, or answer it.")
