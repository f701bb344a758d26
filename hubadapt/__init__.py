"""hubadapt: give an open language model another language's vocabulary, and publish the result on the Hugging Face Hub.

Names are loaded when they are first used, so that importing the package stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "read_recipe": "hubadapt.recipe",
    "run_recipe": "hubadapt.runner",
    "forecast": "hubadapt.outlook",
    "measure_tokenizer": "hubadapt.headroom",
    "read_manifest": "hubadapt.manifest",
    "model_card": "hubadapt.card",
    "dataset_card": "hubadapt.card",
    "prepare": "hubadapt.hub.draft",
    "publish": "hubadapt.hub.publish",
    "open_case": "hubadapt.verify.case",
    "verify_model": "hubadapt.verify.model",
    "bits_per_byte": "hubadapt.evaluation.bits_per_byte",
    "embed": "hubadapt.surgery.embed",
    "solve_propagation": "hubadapt.propagation.solve",
    "propagate_table": "hubadapt.propagation.apply",
    "propagate": "hubadapt.surgery.propagate",
    "Lep": "hubadapt.surgery.propagate",
    "RowTraining": "hubadapt.training.rows",
    "VocabularyAdaptationCallback": "hubadapt.training.guards",
    "HubCardMixin": "hubadapt.integrations.card_mixin",
    "HubStageCallback": "hubadapt.integrations.hub_callback",
    "LEPCallback": "hubadapt.integrations.lep_callback",
    "VocabMap": "hubadapt.vocab_map",
    "UserError": "hubadapt.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hubadapt' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
