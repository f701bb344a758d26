"""Stage `embed`: gives the new tokens their first rows, composed of old ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from hubadapt.checkpoint import find_tables, load_config, read_tensor, write_with_tables
from hubadapt.embeddings import find_initialisation
from hubadapt.errors import UserError
from hubadapt.model import copy_tokenizer
from hubadapt.portable import make_portable
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap, apply

if TYPE_CHECKING:
    import torch


class Config(StageConfig):
    """Parameters of the embed stage."""

    method: str = Field("mean", description="Initialisation of the input table, and of the head where it is tied")
    head_method: str | None = Field(
        None, description="Initialisation of an untied head; the same as `method` by default"
    )
    scale: float = Field(0.9, gt=0, description="Factor on every composed row")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether the initialisations exist."""
    for method in dict.fromkeys((config.method, config.head_method or config.method)):
        try:
            find_initialisation(method)
        except UserError as error:
            yield error


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Reading and writing the weights once; memory holds the largest shard twice."""
    return Cost(seconds=3 + outlook.model_bytes / 300e6, memory=2 * outlook.model_bytes, disk=outlook.model_bytes)


@stage("embed", Config, needs=("tokenizer",), siblings=False, check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Compose the rows of new tokens, input table and head each on its own, tied tables tied."""
    base = context.sources["base"]
    tokenizer = context.latest_folder("tokenizer")
    pieces = VocabMap.load(tokenizer / VOCAB_MAP_NAME)
    tables = find_tables(load_config(base))
    methods = dict(zip(tables.names, (config.method, config.head_method or config.method), strict=False))
    new_tables, norms = {}, {}
    with context.progress("composing rows", len(methods)) as advance:
        for name, method in methods.items():
            old = read_tensor(base, name)
            new_tables[name] = apply(find_initialisation(method).weigh(pieces, old, config.scale), old)
            norms[name] = _mean_norms(old, new_tables[name][pieces.rows_of(Origin.COMPOSED)])
            advance(1)
    folder = context.folder / "model"
    write_with_tables(
        base, folder, new_tables, config_changes={"vocab_size": pieces.new_size}, moved_ids=pieces.moved_ids()
    )
    copy_tokenizer(tokenizer, folder)
    make_portable(folder)
    return StageResult(
        made=(Made("embed", "model", folder, "base"),),
        facts={"tied": tables.head is None, "methods": methods, "mean_norms": norms},
    )


def _mean_norms(old: torch.Tensor, new: torch.Tensor) -> dict[str, float]:
    """Mean norm of the old rows and, where there are any, of the composed ones."""
    norms = {"old": float(old.float().norm(dim=1).mean())}
    return norms | ({"new": float(new.float().norm(dim=1).mean())} if len(new) else {})
