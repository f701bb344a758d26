"""The configuration files of a model whose vocabulary changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubadapt.checkpoint.shards import AGAIN
from hubadapt.errors import ModelError
from hubadapt.token_ids import renumbered_config

CONFIG_NAME = "config.json"
GENERATION_NAME = "generation_config.json"
_INNER = ("text_config", "decoder", "generator")  # as in transformers' get_text_config


def changed_configs(folder: Path, changes: Mapping[str, Any], moved_ids: Mapping[int, int] | None) -> dict[str, str]:
    """New text of a model's configuration files by name, as far as it has them.

    Args:
        folder: The model.
        changes: Keys to set in `config.json`: in the configuration of its text model, and wherever else they stand.
        moved_ids: Old id → new id, where ids moved.

    Raises:
        ModelError: A file is damaged, or names an id that is gone.
    """
    texts = {}
    for name in (CONFIG_NAME, GENERATION_NAME):
        if (folder / name).is_file():
            config = _read(folder / name)
            if moved_ids is not None:
                config = _renumbered(config, moved_ids, folder / name)
            if name == CONFIG_NAME:
                _set(config, changes)
            texts[name] = json.dumps(config, indent=2) + "\n"
    return texts


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}.", AGAIN) from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is damaged: it holds no object.", AGAIN)
    return config


def _set(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    levels = [config, *(config[name] for name in _INNER if isinstance(config.get(name), dict))]
    for key, value in changes.items():
        for level in levels:
            if key in level or level is levels[-1]:
                level[key] = value


def _renumbered(config: dict[str, Any], moved_ids: Mapping[int, int], path: Path) -> dict[str, Any]:
    try:
        return renumbered_config(config, moved_ids)
    except KeyError as error:
        raise ModelError(
            f"{path} names the token id {error.args[0]}, which the new vocabulary does not keep.",
            "Correct the id in the base's file, or keep its token.",
        ) from None
