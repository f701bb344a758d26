"""Code that a configuration names, which transformers would fetch and run: found before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hubadapt.errors import ModelError

# Keys whose values name code; those that end so do where they name a repository, of compiled code.
_CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate")
_KERNEL_KEY = "_implementation"


def require_no_code(folder: Path, what: str) -> None:
    """Stop where a configuration names code of its own, so that none is ever fetched or run.

    Args:
        folder: Where its JSON files lie.
        what: The model, for the message.

    Raises:
        ModelError: One does, or is no JSON.
    """
    for path in sorted(folder.glob("*config.json")):
        try:
            found = _code_key(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path.name} of {what} is no JSON: {error}.", "Push the run again.") from error
        if found:
            raise ModelError(
                f"{path.name} of {what} names code of its own ({found}), which is never run here.",
                f"Read that code before you load it; without `{found}` the model can be verified.",
            )


def _code_key(value: Any) -> str:
    """The first key that names code, or empty."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _CODE_KEYS or (key.endswith(_KERNEL_KEY) and "/" in json.dumps(item)):
                return str(key)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := _code_key(item))), "")
