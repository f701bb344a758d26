"""Calls that load what a user gave into `tokenizers` and transformers: whatever they raise becomes one error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hubadapt.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

T = TypeVar("T")


def attempt(call: Callable[[], T], problem: str) -> T:
    """The result of one call into `tokenizers` or transformers that may fail on what a file holds.

    Args:
        call: The call, and nothing else.
        problem: What it means that it fails, such as "the tokenizer of base cannot be loaded"; the reason is added.

    Raises:
        ModelError: It failed.
    """
    try:
        return call()
    # `tokenizers` raises bare Exception, and transformers' classes raise what they like: there is nothing narrower.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{problem}: {reason}", "Download or copy the tokenizer again.") from error


def open_tokenizer(source: Mapping[str, Any] | Path, name: str) -> Tokenizer:
    """The tokenizer that a `tokenizer.json` describes.

    Args:
        source: The file, or its content, parsed.
        name: What the user calls it, such as "of base".

    Raises:
        ModelError: It describes none.
    """
    from tokenizers import Tokenizer

    text = source.read_text("utf-8") if isinstance(source, Path) else json.dumps(source, ensure_ascii=False)
    return attempt(lambda: Tokenizer.from_str(text), f"the tokenizer {name} cannot be loaded")


def auto_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, as downstream users get it, right or wrong.

    Raises:
        ModelError: It cannot be loaded.
    """
    from transformers import AutoTokenizer

    return attempt(lambda: AutoTokenizer.from_pretrained(folder), f"the tokenizer of {folder} cannot be loaded")
