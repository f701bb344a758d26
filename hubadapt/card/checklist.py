"""A transparency checklist, answered from the manifest alone: what is told about a model, and what is not.

The questions follow the domains of the Foundation Model Transparency Index (Bommasani et al., arXiv:2310.12941), as the
authors of CroissantLLM (arXiv:2402.00786) answered them for their model: data, model, compute, evaluation, use.
"""

from __future__ import annotations

from hubadapt.card.comparison import comparison
from hubadapt.types import Artifact, Manifest


def checklist(manifest: Manifest, artifact: Artifact) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Domains with their questions, and whether the published run answers each.

    Args:
        manifest: The run.
        artifact: A model of it.
    """
    sources = [row for record in manifest.stages for row in record.facts.get("sources", ()) if isinstance(row, dict)]
    params = [key for record in manifest.stages for key in record.params]
    facts = [key for record in manifest.stages for key in record.facts]
    rows = comparison(manifest, artifact)
    languages = {row["language"] for row in rows}
    data = [
        ("Sources of the training text", bool(sources)),
        ("Amount of text of each source", any("train_characters" in row for row in sources)),
        ("Licence of each source", bool(sources) and all(row.get("license") for row in sources)),
        ("The training text itself", any(made.kind == "dataset" for made in manifest.artifacts())),
        ("Search for personal data or harmful text", False),
    ]
    model = [
        ("Base model with its revision", bool(manifest.base.revision)),
        ("Which parameters were trained", "trained_parameters" in facts),
        ("Every hyperparameter and the random seed", "seed" in params),
        ("Versions of the software", bool(manifest.packages)),
        ("Losses of training", "losses" in facts),
    ]
    compute = [
        ("Hardware", bool(manifest.hardware)),
        ("Time of each stage", any(record.seconds for record in manifest.stages)),
        ("Energy and emissions", any(record.energy for record in manifest.stages)),
    ]
    evaluation = [
        ("The same numbers before and after", bool(rows)),
        ("Number of texts and standard error", any(row["after"].stderr is not None for row in rows)),
        ("The target language", manifest.language in languages),
        ("English", "en" in languages),
        ("A third language", bool(languages - {manifest.language, "en", ""})),
        ("What got worse", bool(rows)),
        ("Benchmark tasks", False),
        ("Judgement of people", False),
        ("Safety", False),
    ]
    use = [
        ("Licence of model and data, with reasons", bool(manifest.licences)),
        ("Intended use and limits of use", True),
        ("How to repeat it", True),
    ]
    return [("Data", data), ("Model", model), ("Compute", compute), ("Evaluation", evaluation), ("Use", use)]
