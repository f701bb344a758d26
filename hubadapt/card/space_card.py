"""The card of the Space that compares a run's models. Keys: `spaces-config-reference.md` of huggingface/hub-docs."""

from __future__ import annotations

from collections.abc import Iterable

from hubadapt.card.render import render
from hubadapt.card.words import Words
from hubadapt.lineage import Names
from hubadapt.types import Manifest


def space_card(manifest: Manifest, names: Names, models: Iterable[str]) -> str:
    """The README.md of a Space, from which the Hub also reads how to run it.

    Args:
        manifest: The run.
        names: What things are called on the Hub; links to the collection where that exists.
        models: Addresses of the models it offers.
    """
    offered = list(models)
    front = {
        "title": f"{manifest.name}: side by side",
        "emoji": "🪞",
        "colorFrom": "blue",
        "colorTo": "indigo",
        "sdk": "gradio",
        # The Hub's own choice is older than hubadapt allows.
        "python_version": "3.11",
        "app_file": "app.py",
        "short_description": "Before and after its vocabulary was adapted",
        "license": "apache-2.0",
        "models": list(dict.fromkeys(address.partition("@")[0] for address in offered)),
        "tags": ["hubadapt", "vocabulary-adaptation"],
    }
    return render("space_card.md.jinja", front, Words(), manifest=manifest, names=names, models=offered)
