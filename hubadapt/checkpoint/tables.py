"""Finds the tensors that hold a row for each token."""

from __future__ import annotations

import copy
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
        tied_head: Where it is tied: the tensor under which some files hold it a second time.
    """

    embedding: str
    head: str | None
    tied_head: str | None = None

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

    Raises:
        ModelError: Other tensors, such as a bias of the head, have an entry for each token too.
    """
    model = meta_model(config)
    names = {id(module): name for name, module in model.named_modules()}
    inside = [names[id(module)] + ".weight" for module in (model.get_input_embeddings(), model.get_output_embeddings())]
    embedding, head = (name_on_disk(model, name) for name in inside)
    for other in _sized_by_vocabulary(model, config):
        if other not in inside:
            raise ModelError(
                f"{name_on_disk(model, other)} has an entry for each token beside the tables; such a head cannot grow.",
                "Choose a model whose head has no bias.",
            )
    if config.get_text_config().tie_word_embeddings:
        return Tables(embedding, None, head)
    return Tables(embedding, head)


def meta_model(config: PretrainedConfig) -> Any:
    """The model without weights."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def name_on_disk(model: Any, name: str) -> str:
    """What transformers calls a tensor in files: GPT-NeoX's `lm_head.weight`, for one, is `embed_out.weight` there."""
    from transformers.core_model_loading import revert_weight_conversion

    (written,) = revert_weight_conversion(model, {name: torch.empty(0)})
    return str(written)


def _sized_by_vocabulary(model: Any, config: PretrainedConfig) -> list[str]:
    larger = copy.deepcopy(config)
    larger.get_text_config().vocab_size += 1
    shapes = {name: parameter.shape for name, parameter in meta_model(larger).named_parameters()}
    return [name for name, parameter in model.named_parameters() if parameter.shape != shapes[name]]
