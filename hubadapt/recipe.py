"""Reads a recipe: YAML in, a checked `Recipe` out, its text kept verbatim."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hubadapt.card.metadata import metadata_problems
from hubadapt.errors import RecipeError, UserError, raise_all
from hubadapt.registry import suggest
from hubadapt.secret_scan import find_secrets
from hubadapt.stages import Stage, StageConfig, find_stage

# A Hub takes 96 characters: the run's name, at most 60, and "-propagate-" with a sibling's.
_LONGEST_SIBLING = 25
_NAME = r"^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$"


class Metering(BaseModel):
    """How energy is measured while the recipe runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str = Field(pattern=r"^[A-Z]{3}$")


class _Head(BaseModel):
    """The recipe without its stages' parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, max_length=60)
    language: str
    license: str
    license_name: str = Field("", pattern=r"^[a-z0-9-.]*$")
    license_link: str = Field("", pattern=r"^(https?://\S+)?$")
    license_decisions: dict[str, str] = Field(default_factory=dict)
    base: str = Field(min_length=1)
    siblings: dict[str, str] = Field(default_factory=dict)
    energy: Metering | None = None
    stages: list[Any] = Field(min_length=1)

    @field_validator("siblings")
    @classmethod
    def _names(cls, siblings: dict[str, str]) -> dict[str, str]:
        for name in siblings:
            # A name becomes a folder and part of a repository's name; "base" is taken.
            if name == "base" or not re.fullmatch(_NAME, name):
                raise ValueError(f"{name!r} cannot be a sibling's name")
            if len(name) > _LONGEST_SIBLING:
                raise ValueError(f"{name!r} has {len(name)} characters; there is room for {_LONGEST_SIBLING}")
        return siblings


class Recipe(BaseModel):
    """A base model, a language and a list of stages.

    Attributes:
        path: The file; relative paths in it start at its folder.
        text: The file's text, verbatim.
        name: Name of the run and prefix of its repositories.
        language: ISO 639-1 code of the target language.
        license: Licence of the models that are published, as a Hub identifier.
        license_name: Name of that licence, where it is `other`.
        license_link: Address of its text, where it is `other`.
        license_decisions: The owner's decisions on licences that do not fit by themselves: source or licence → reason.
        base: Hub id (`owner/name`, `owner/name@revision`) or folder.
        siblings: Other tunes of the base, by name, given like the base.
        energy: Where energy is measured, as an ISO 3166-1 alpha-3 code under `country`; None where it is not.
        stages: Stage kind → configuration, in order.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    path: Path
    text: str
    name: str
    language: str
    license: str
    license_name: str
    license_link: str
    license_decisions: dict[str, str]
    base: str
    siblings: dict[str, str]
    energy: Metering | None = None
    stages: dict[str, StageConfig]


def read_recipe(path: Path) -> Recipe:
    """Read and validate a recipe file.

    Raises:
        RecipeError: It is missing, not UTF-8, not YAML, or one thing in it is wrong.
        SeveralErrors: Several things are wrong; all are named.
    """
    text = _read_text(path)
    content = _parse(path, text)
    errors: list[UserError] = [
        RecipeError(
            f"{path} line {line} looks like {what}; a recipe is printed in the model card.",
            "Take it out; give tokens through the environment: export HF_TOKEN=…",
        )
        for line, what in find_secrets(text)
    ]
    head, head_errors = _validate(_Head, content, str(path))
    configs, stage_errors = _read_stages(content.get("stages"), path)
    errors += [*head_errors, *stage_errors, *([] if head is None else _metadata_errors(head, path))]
    raise_all(errors)
    assert head is not None
    return Recipe(
        path=path,
        text=text,
        stages=configs,
        **{name: getattr(head, name) for name in _Head.model_fields if name != "stages"},
    )


def _metadata_errors(head: _Head, path: Path) -> list[UserError]:
    """Words that the Hub would refuse in a card."""
    errors: list[UserError] = []
    front = {key: getattr(head, key) for key in ("language", "license", "license_name", "license_link")}
    for problem, hint in metadata_problems(front):
        errors.append(RecipeError(f"{path} {problem}.", hint))
    if head.license == "unknown":
        errors.append(
            RecipeError(f"{path} says license: 'unknown', under which nobody may use the models.", "Choose a licence.")
        )
    errors += [
        RecipeError(
            f"{path} gives no reason for {key!r} under license_decisions.", "Write it down: the card prints it."
        )
        for key, reason in head.license_decisions.items()
        if not reason.strip()
    ]
    return errors


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"the recipe {path} does not exist.", f"hubadapt new BASE LANGUAGE --out {path}") from None
    except IsADirectoryError:
        raise RecipeError(f"the recipe {path} is a folder.", "Name the YAML file in it.") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"the recipe {path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise RecipeError(
            f"{path}{where} is not YAML: {getattr(error, 'problem', error)}.", "Check quotes and indentation there."
        ) from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path} holds no recipe.", f"hubadapt new BASE LANGUAGE --out {path}")
    return content


def _read_stages(items: Any, path: Path) -> tuple[dict[str, StageConfig], list[UserError]]:
    configs: dict[str, StageConfig] = {}
    errors: list[UserError] = []
    before: list[str] = []
    for item in items if isinstance(items, list) else ():
        kind, params = _stage_item(item)
        try:
            stage = find_stage(kind)
        except RecipeError as error:
            errors.append(RecipeError(f"{path}: {error.problem}", error.hint))
            continue
        config, found = _validate(stage.config, {} if params is None else params, f"{path}: stage {kind}")
        errors += found
        errors += _order_errors(stage, before, path)
        before.append(kind)
        if config is not None:
            configs[kind] = config
    return configs, errors


def _stage_item(item: Any) -> tuple[str, Any]:
    if isinstance(item, dict) and len(item) == 1:
        kind, params = next(iter(item.items()))
        return str(kind), params
    return str(item), None


def _order_errors(stage: Stage, before: list[str], path: Path) -> list[UserError]:
    if stage.kind in before:
        return [RecipeError(f"{path}: the stage {stage.kind} stands twice.", "Remove one of them.")]
    return [
        RecipeError(f"{path}: the stage {stage.kind} needs the stage {need} before it.", f"Add `- {need}` above it.")
        for need in stage.needs
        if need not in before
    ]


def _validate(model: type[Any], content: Any, where: str) -> tuple[Any | None, list[UserError]]:
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        return None, [_to_error(model, issue, where) for issue in error.errors()]


def _to_error(model: type[BaseModel], issue: Any, where: str) -> UserError:
    place = ".".join(str(part) for part in issue["loc"])
    if issue["type"] == "extra_forbidden":
        return RecipeError(
            f"{where} has an unknown key {place!r}.", suggest(str(issue["loc"][-1]), _known_keys(model, issue["loc"]))
        )
    if issue["type"] == "missing":
        return RecipeError(f"{where} lacks {place!r}.", f"Add `{place}:`; `hubadapt new` writes a complete recipe.")
    if issue["type"] == "model_type":
        return RecipeError(
            f"{where}{f': {place}' if place else ''} takes keys with values, not {str(issue['input'])[:60]}.",
            "See `hubadapt stages` for its keys.",
        )
    return RecipeError(
        f"{where} has a bad value for {place!r}: {issue['msg']} (found {str(issue['input'])[:60]!r}).",
        "See `hubadapt stages` for what each key takes.",
    )


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that holds the last part of a location, following nested models by field name."""
    for part in loc[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            inner = [
                argument
                for argument in (
                    model.model_fields[part].annotation,
                    *getattr(model.model_fields[part].annotation, "__args__", ()),
                )
                if isinstance(argument, type) and issubclass(argument, BaseModel)
            ]
            model = inner[0] if inner else model
    return list(model.model_fields)
