"""Cards: a manifest in, Markdown out. No clock, no network, no model, no number that the manifest lacks."""

from hubadapt.card.cards import dataset_card, model_card, source_card
from hubadapt.card.comparison import comparison

__all__ = ["comparison", "dataset_card", "model_card", "source_card"]
