"""The Space that puts a run's models side by side: the files it is made of."""

from __future__ import annotations

from hubadapt.assets import asset
from hubadapt.card.space_card import space_card
from hubadapt.lineage import Names
from hubadapt.types import Manifest

_PROGRAM = ("app.py", "requirements.txt")


def compared(manifest: Manifest, names: Names) -> tuple[str, ...]:
    """Addresses of the models that the Space offers: each source that was adapted, and its last form.

    The first and the last, which the page shows at the beginning, are a sibling and its form where there is one: that
    is what people write with.
    """
    forms = {artifact.of: artifact.name for artifact in manifest.artifacts() if artifact.kind == "model"}
    sources = [name for name in manifest.sources() if name in forms]
    return tuple(names.address(name) for name in (*reversed(sources), *(forms[source] for source in sources)))


def space_files(manifest: Manifest, names: Names) -> dict[str, str]:
    """Text of every file of the Space, by path; empty where the run made no model.

    None of them holds a token, or a place for one: the Space reads what anybody may read.
    """
    models = compared(manifest, names)
    if not models:
        return {}
    program = {name: (asset("spaces", "compare") / name).read_text(encoding="utf-8") for name in _PROGRAM}
    return {"README.md": space_card(manifest, names, models), **program, "models.txt": "\n".join(models) + "\n"}
