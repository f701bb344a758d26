"""Stage `propagate`: carries the learnt vocabulary into siblings of the base by LEP, without any instruction data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from hubadapt.checkpoint import NewTensor, Tables, find_tables, load_config, read_tensor, write_with_tables
from hubadapt.errors import ModelError, RecipeError, UserError
from hubadapt.model import copy_tokenizer
from hubadapt.portable import TOKENIZER_CONFIG, make_portable, move_added_tokens
from hubadapt.propagation.apply import PropagatedTable, propagate_table
from hubadapt.propagation.forms import Transfer
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.families import model_entries, read_tokenizer_json
from hubadapt.vocab_map import VOCAB_MAP_NAME, VocabMap


class Config(StageConfig):
    """Parameters of the propagate stage."""

    ridge: float = Field(0.0, ge=0, description="Pull of the map towards the identity: 0 is conversion, large is swap")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether there is a sibling to carry the vocabulary into, and each is a tune of the base."""
    if outlook.siblings == 0:
        yield RecipeError(
            "the stage propagate has nowhere to carry the vocabulary: the recipe names no sibling.",
            "Add `siblings: {instruct: MODEL}` to the recipe, or remove the stage.",
        )
    for name, folder in outlook.folders.items():
        if name != "base" and "base" in outlook.folders:
            try:
                _check_family(outlook.folders["base"], folder)
                _check_added_tokens(folder, outlook.folders["base"])
            except ModelError as error:
                yield error


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Three tables read, D×D sums over all rows, one model written, for each sibling."""
    table = outlook.table_rows * outlook.hidden_size
    seconds = 3 + 16 * table * outlook.hidden_size / outlook.flops + outlook.model_bytes / 300e6
    return Cost(
        seconds=outlook.siblings * seconds,
        memory=2 * outlook.model_bytes + 6 * table * 4,
        disk=outlook.siblings * outlook.model_bytes,
    )


@stage("propagate", Config, needs=("embed",), check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Carry the adapted base's rows into every sibling by a least-squares map (LEP), its body untouched."""
    made: list[Made] = []
    facts: dict[str, Any] = {}
    siblings = {name: folder for name, folder in context.sources.items() if name != "base"}
    with context.progress("propagating", len(siblings)) as advance:
        for name, folder in siblings.items():
            target = context.folder / name
            facts[name] = _propagate(context, folder, target, config.ridge)
            made.append(Made(f"propagate-{name}", "model", target, name))
            advance(1)
    return StageResult(made=tuple(made), facts=facts)


def _propagate(context: StageContext, sibling: Path, target: Path, ridge: float) -> dict[str, dict[str, Any]]:
    base, adapted = context.sources["base"], context.latest_folder("model")
    tables = _check_family(base, sibling)
    pieces = VocabMap.load(context.latest_folder("tokenizer") / VOCAB_MAP_NAME)
    service = np.array(
        sorted(token["id"] for token in read_tokenizer_json(adapted).get("added_tokens", ())), dtype=np.int64
    )
    results: dict[str, PropagatedTable] = {}
    for name in tables.names:
        ours, theirs, learnt = (read_tensor(folder, name) for folder in (base, sibling, adapted))
        try:
            results[name] = propagate_table(
                ours, theirs, learnt, pieces, service=service, transfer=Transfer(ridge=ridge)
            )
        except ValueError as error:
            raise ModelError(
                f"LEP into {sibling} is not defined: {error}.", "Set `ridge: 1e-6` in the stage propagate."
            ) from error
    write_with_tables(
        sibling,
        target,
        {name: NewTensor.of(result.table) for name, result in results.items()},
        config_changes={"vocab_size": pieces.new_size},
        moved_ids=pieces.moved_ids(),
    )
    _write_tokenizer(sibling, adapted, target, pieces.moved_ids())
    return {
        name: {
            "residual": result.solution.residual,
            "shift": result.solution.shift,
            "condition": result.solution.condition,
            "rows": result.solution.rows,
            "kept": result.kept,
            "projected": result.projected,
        }
        for name, result in results.items()
    }


def _check_family(base: Path, sibling: Path) -> Tables:
    ours, theirs = load_config(base), load_config(sibling)
    for what in ("model_type", "hidden_size", "num_hidden_layers", "tie_word_embeddings", "vocab_size"):
        mine, other = getattr(ours.get_text_config(), what), getattr(theirs.get_text_config(), what)
        if mine != other:
            raise ModelError(
                f"base and sibling differ in {what}: {mine} in {base}, {other} in {sibling}.",
                "LEP needs a sibling that was tuned from this very base; choose another, or its true base.",
            )
    old, new = (model_entries(read_tokenizer_json(folder)) for folder in (base, sibling))
    moved = next((entry for entry, index in old.items() if new.get(entry) != index), None)
    if moved is not None:
        raise ModelError(
            f"base and sibling give the token {moved!r} different ids: {old[moved]} and {new.get(moved)}.",
            "LEP needs a sibling with the base's tokenizer; choose another sibling.",
        )
    return find_tables(ours)


def _write_tokenizer(sibling: Path, adapted: Path, target: Path, moved_ids: Mapping[int, int] | None) -> None:
    copy_tokenizer(adapted, target)
    for name in (TOKENIZER_CONFIG, "special_tokens_map.json", "chat_template.jinja"):
        (target / name).unlink(missing_ok=True)
        if (sibling / name).is_file():
            shutil.copyfile(sibling / name, target / name)
    _check_added_tokens(sibling, target, moved_ids)
    if moved_ids is not None:
        move_added_tokens(target, moved_ids)
    make_portable(target)


def _check_added_tokens(sibling: Path, target: Path, moved_ids: Mapping[int, int] | None = None) -> None:
    known = {token["content"]: token["id"] for token in read_tokenizer_json(target).get("added_tokens", ())}
    for token in read_tokenizer_json(sibling).get("added_tokens", ()):
        expected = token["id"] if moved_ids is None else moved_ids.get(token["id"])
        if token["content"] not in known or known[token["content"]] != expected:
            raise ModelError(
                f"the sibling {sibling} has a token {json.dumps(token['content'])} of its own (id {token['id']}).",
                "Siblings with added tokens of their own cannot be adapted yet; choose another sibling.",
            )
