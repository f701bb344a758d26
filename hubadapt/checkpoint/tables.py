"""Finds the tensors that hold a row for each token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hubadapt.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class Tables:
    """Names of the tensors that hold a row for each token.

    Attributes:
        embedding: The input table, shape (V, D).
        head: The output table, shape (V, D), or None where it is tied to the input table.
    """

    embedding: str
    head: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that exist on disk."""
        return (self.embedding,) if self.head is None else (self.embedding, self.head)


def load_config(folder: Path) -> PretrainedConfig:
    """The model's configuration.

    Raises:
        ModelError: There is none, or it is not of a causal language model that transformers knows.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no model: it holds no config.json.", "Name a folder that save_pretrained wrote.")
    try:
        config = AutoConfig.from_pretrained(folder)
    except (ValueError, OSError, KeyError, TypeError, AttributeError, StrictDataclassError) as error:
        raise ModelError(
            f"{folder}/config.json cannot be used: {str(error).splitlines()[0]}",
            "Check the file; a newer transformers may know the architecture: pip install -U transformers",
        ) from error
    architectures = list(config.architectures or ())
    if not set(architectures) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()):
        raise ModelError(
            f"{folder} is no causal language model: its architecture is {', '.join(architectures) or 'not named'}.",
            "Choose a decoder such as Llama, Qwen, Mistral, Gemma or SmolLM.",
        )
    return config


def find_tables(config: PretrainedConfig) -> Tables:
    """Which tensors are the embedding and the head, found through the architecture rather than by name.

    The model is built on the meta device, which takes no memory for weights.

    Args:
        config: As `load_config` gives it.
    """
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    names = {id(module): name for name, module in model.named_modules()}
    embedding = _name_on_disk(model, names[id(model.get_input_embeddings())] + ".weight")
    head = _name_on_disk(model, names[id(model.get_output_embeddings())] + ".weight")
    return Tables(embedding, None if config.get_text_config().tie_word_embeddings else head)


def _name_on_disk(model: Any, name: str) -> str:
    """What transformers calls a tensor in files: GPT-NeoX's `lm_head.weight`, for one, is `embed_out.weight` there."""
    from transformers.core_model_loading import revert_weight_conversion

    (written,) = revert_weight_conversion(model, {name: torch.empty(0)})
    return str(written)
