"""Whether a model is a tune of a base: the same architecture, the same ids of shared tokens, weights that are akin."""

from __future__ import annotations

from pathlib import Path

import torch

from hubadapt.checkpoint import Tables, find_tables, load_config, read_tensor
from hubadapt.checkpoint.shards import stored_tensors
from hubadapt.errors import ModelError
from hubadapt.tokenizer.families import all_entries, model_entries, read_tokenizer_json

_SAME = ("model_type", "hidden_size", "num_hidden_layers", "intermediate_size", "tie_word_embeddings")
_LEAST_COSINE = 0.5
_SAMPLE = 4096
_FLOATS = ("F64", "F32", "F16", "BF16")
_OTHER = "LEP needs a sibling that was tuned from this very base; choose another, or its true base."


def require_architecture(base: Path, other: Path, role: str) -> Tables:
    """Stop where a model is built otherwise than the base.

    Args:
        base: The base's folder; configuration files are enough.
        other: The other model's.
        role: What to call the other.

    Returns:
        The tables that both have.

    Raises:
        ModelError: They differ in architecture, width, depth or tying.
    """
    ours, theirs = load_config(base), load_config(other)
    for what in _SAME:
        mine, its = (getattr(config.get_text_config(), what, None) for config in (ours, theirs))
        if mine != its:
            raise ModelError(f"base and {role} differ in {what}: {mine} in {base}, {its} in {other}.", _OTHER)
    return find_tables(ours)


def require_same_ids(base: Path, sibling: Path) -> None:
    """Stop where tokens that a sibling shares with the base have other ids, or its vocabulary was changed.

    Added tokens of the base may be missing or renamed in the sibling, and it may have added some of its own.

    Raises:
        ModelError: They have.
    """
    old, new = read_tokenizer_json(base), read_tokenizer_json(sibling)
    added = {token["content"] for token in old.get("added_tokens", ())}
    known, found = all_entries(old), all_entries(new)
    for entry, index in known.items():
        if found.get(entry, index if entry in added else None) != index:
            raise ModelError(
                f"base and sibling give the token {entry!r} different ids: {index} and {found.get(entry)}.",
                "LEP needs a sibling with the base's tokenizer; choose another sibling.",
            )
    added |= {token["content"] for token in new.get("added_tokens", ())}
    mine = [entry for entry in model_entries(new) if entry not in known and entry not in added]
    if mine:
        raise ModelError(
            f"the vocabulary of {sibling} has entries that the base's lacks ({len(mine):,}, such as {mine[0]!r}), and "
            "they are no added tokens.",
            "LEP cannot join two changed vocabularies; choose a sibling with the base's own.",
        )


def require_akin(base: Path, sibling: Path, tables: Tables) -> None:
    """Stop where a model's weights are unlike the base's.

    Looked at are up to 4,096 rows each of the input table and of a matrix of the first layer, of which one must have a
    median cosine of 0.5 or more to the base's. Models that were trained apart have cosines about 0, whatever else they
    have in common; a real tune of a small model has 0.99 and 0.999; where noise as large as the weights themselves was
    added, 0.71 is left. So the limit has room on both sides, and a sibling that was trained on for long still passes.

    Raises:
        ModelError: They are.
    """
    names = [tables.embedding, *_first_matrix(base, sibling, tables)]
    cosines = {name: _median_cosine(read_tensor(base, name), read_tensor(sibling, name)) for name in names}
    if not max(cosines.values()) >= _LEAST_COSINE:
        figures = " and ".join(f"{cosine:.2f} in {name}" for name, cosine in cosines.items())
        raise ModelError(
            f"{sibling} is no tune of {base}: the median cosine of their rows is {figures}, below {_LEAST_COSINE}.",
            _OTHER,
        )


def _first_matrix(base: Path, sibling: Path, tables: Tables) -> list[str]:
    ours, theirs = stored_tensors(base), stored_tensors(sibling)
    for name in sorted(ours):
        mine, other = ours[name], theirs.get(name)
        if other is None or ".0." not in name or len(mine.shape) != 2 or name in tables.names:
            continue
        if other.shape == mine.shape and {mine.dtype, other.dtype} <= set(_FLOATS):
            return [name]
    return []


def _median_cosine(mine: torch.Tensor, other: torch.Tensor) -> float:
    rows = min(len(mine), len(other))
    step = -(-rows // _SAMPLE)
    ours, theirs = (table[:rows:step].double() for table in (mine, other))
    return float(torch.nn.functional.cosine_similarity(ours, theirs).median())
