"""What can be known before a run: pinned models, every problem, and what it will cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hubadapt.checkpoint import load_config, shard_map
from hubadapt.energy import energy_problems
from hubadapt.errors import ModelError, UserError, raise_all
from hubadapt.hub.fetch import Resolved, local_folder, resolve
from hubadapt.licences import Declared, licence_chain
from hubadapt.machine import float_operations
from hubadapt.model import load_tokenizer
from hubadapt.recipe import Recipe
from hubadapt.secret_scan import find_local_paths
from hubadapt.stages import Cost, Outlook, find_stage
from hubadapt.tokenizer.families import read_tokenizer_json, require_family
from hubadapt.types import LicenceLink


@dataclass(frozen=True)
class Forecast:
    """The result of checking a recipe.

    Attributes:
        sources: Base and siblings, pinned.
        warnings: Things that are allowed but look unintended in something that gets published.
        costs: Estimate for each stage, by kind, in order.
        licences: The licence chain, as far as it shows before the run: of Hub datasets, from their first documents.
    """

    sources: dict[str, Resolved]
    warnings: tuple[str, ...]
    costs: dict[str, Cost]
    licences: tuple[LicenceLink, ...]

    @property
    def total(self) -> Cost:
        """Sum of times and disk, maximum of memory."""
        costs = self.costs.values()
        return Cost(
            sum(cost.seconds for cost in costs), max(cost.memory for cost in costs), sum(cost.disk for cost in costs)
        )


def forecast(recipe: Recipe) -> Forecast:
    """Resolve every revision, run every check that needs no weights, and estimate the cost.

    Nothing is written, except configuration files into the Hub's own cache for models named by id.

    Raises:
        UserError: One problem was found.
        SeveralErrors: Several were.
    """
    start = recipe.path.parent
    errors: list[UserError] = energy_problems(recipe.energy.country) if recipe.energy else []
    sources: dict[str, Resolved] = {}
    folders: dict[str, Path] = {}
    for name, text in {"base": recipe.base, **recipe.siblings}.items():
        try:
            sources[name] = resolve(text, start)
            folders[name] = _check_model(sources[name], start)
        except UserError as error:
            errors.append(error)
    outlook = _outlook(recipe, sources, folders)
    for kind, config in recipe.stages.items():
        errors += find_stage(kind).check(config, outlook)
    raise_all(errors)
    costs = {kind: find_stage(kind).estimate(config, outlook) for kind, config in recipe.stages.items()}
    declared = Declared(recipe.name, recipe.license_name or recipe.license, recipe.license_decisions)
    links = licence_chain(declared, {name: source.ref for name, source in sources.items()}, outlook.texts)
    return Forecast(sources, _warnings(recipe, sources), costs, links)


def _check_model(source: Resolved, start: Path) -> Path:
    folder = local_folder(source.ref, start, weights=False)
    load_config(folder)
    if source.ref.local and source.model_bytes:
        shard_map(folder)
    require_family(read_tokenizer_json(folder), source.ref.id)
    load_tokenizer(folder)
    if source.model_bytes == 0:
        raise ModelError(
            f"{source.ref.id} holds no safetensors weights.",
            "Convert it once: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)",
        )
    return folder


def _outlook(recipe: Recipe, sources: dict[str, Resolved], folders: dict[str, Path]) -> Outlook:
    parameters = rows = width = size = 0
    if "base" in folders:
        config = load_config(folders["base"]).get_text_config()
        rows, width, size = config.vocab_size, config.hidden_size, sources["base"].model_bytes
        parameters = size // (4 if str(config.dtype).endswith("float32") else 2)
    return Outlook(
        recipe_folder=recipe.path.parent,
        language=recipe.language,
        siblings=len(recipe.siblings),
        folders=folders,
        parameters=parameters,
        table_rows=rows,
        hidden_size=width,
        model_bytes=size,
        flops=float_operations(),
        configs=recipe.stages,
    )


def _warnings(recipe: Recipe, sources: dict[str, Resolved]) -> tuple[str, ...]:
    paths = [
        f"line {line} names the local path {path}, which the card will show"
        for line, path in find_local_paths(recipe.text)
    ]
    private = [f"{source.ref.id} is private; the card will name it" for source in sources.values() if source.private]
    return (*paths, *private)
