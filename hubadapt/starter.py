"""Writes a starter recipe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jinja2

from hubadapt.assets import asset
from hubadapt.card.metadata import metadata_problems
from hubadapt.errors import RecipeError
from hubadapt.manifest import write_atomic
from hubadapt.tokenizer.scripts import scripts_of

PROMPTS = {"ru": "Однажды утром", "uk": "Одного ранку", "el": "Ένα πρωί", "hi": "एक सुबह", "ar": "في صباح أحد الأيام"}


def write_starter(
    path: Path,
    *,
    base: str,
    language: str,
    siblings: tuple[str, ...],
    texts: tuple[str, ...],
    license: str,
    text_license: str,
) -> None:
    """Write a recipe that `hubadapt check` accepts once the files it names exist.

    Args:
        path: File to make; an existing one is left alone.
        base: Hub id or folder.
        language: ISO 639-1 code of the language.
        siblings: Hub ids or folders.
        texts: Files of text in the language.
        license: Licence of what will be published.
        text_license: Licence of the text.

    Raises:
        RecipeError: The file exists, or the language or the licence is not known.
    """
    # The name and the address that `other` needs are for its owner to add.
    front = {"language": language} | ({} if license == "other" else {"license": license})
    for problem, hint in metadata_problems(front):
        raise RecipeError(f"the recipe {problem}.", hint)
    scripts_of(language)
    if path.exists():
        raise RecipeError(f"{path} exists already.", "Choose another file: --out other.yaml")
    template = jinja2.Template(
        asset("templates", "recipes", "starter.yaml.jinja").read_text(encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", base.split("@")[0].rstrip("/").split("/")[-1].lower())
    siblings_by_name = {
        ("instruct" if len(siblings) == 1 else f"sibling{i}"): sibling for i, sibling in enumerate(siblings, start=1)
    }

    def from_recipe(text: str) -> str:
        """A file or folder as seen from the recipe's folder, where its paths start; a Hub id as it is."""
        return os.path.relpath(text, path.parent) if os.path.exists(text) and not os.path.isabs(text) else text

    write_atomic(
        path,
        template.render(
            name="-".join([*words, language]),
            base=from_recipe(base),
            language=language,
            siblings={name: from_recipe(sibling) for name, sibling in siblings_by_name.items()},
            texts=[from_recipe(text) for text in texts or (f"{language}.txt",)],
            license=license,
            text_license=text_license,
            prompt=PROMPTS.get(language, "…"),
            quote=lambda text: json.dumps(text, ensure_ascii=False),
        ),
    )
