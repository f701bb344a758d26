"""Turns what a user names as a tokenizer into the content of a `tokenizer.json`, or a folder that holds one.

That may be a folder, a `tokenizer.json`, a SentencePiece `.model` or Mistral's `tekken.json`. Hub ids are for the
caller to download first.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import regex
from tokenizers import Tokenizer

from hubadapt.errors import ModelError
from hubadapt.loading import attempt
from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer
from hubadapt.portable import SENTENCEPIECE_MODEL, SENTENCEPIECE_MODELS, make_portable
from hubadapt.tokenizer.families import read_tokenizer_file
from hubadapt.tokenizer.from_sentencepiece import content_of
from hubadapt.tokenizer.sentencepiece_model import read_model

_SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
# Files of the first format name no special tokens; these are the ones that mistral-common takes for them.
_FIRST_SPECIAL = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
    "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
_PROBES = (
    "The quick brown fox, 3.14159 times!\n\tfor i in range(10):",
    "Ça coûte 12,50 €. Съешь же ещё булок. नमस्ते 🙂",
)


def read_source(path: Path) -> dict[str, Any]:
    """The content of the `tokenizer.json` that a source is, or that is made of it.

    Args:
        path: A folder, a `tokenizer.json`, a SentencePiece `.model` or a `tekken.json`. In a folder a
            `tokenizer.json` comes before the others.

    Raises:
        MissingExtraError: It is a SentencePiece model, and the package sentencepiece is not installed.
        ModelError: There is no tokenizer, it is damaged, or what was made of it gives other ids.
    """
    file = source_file(path)
    if _is_sentencepiece(file):
        return content_of(read_model(file), str(file))
    if "tekken" in file.name:
        return _read_tekken(file)
    return read_tokenizer_file(file)


def write_source(source: Path | str, folder: Path | None = None) -> Path:
    """Write a tokenizer folder that transformers can load.

    Args:
        source: As for `read_source`; a folder that holds a `tokenizer.json` is copied with its other tokenizer files.
        folder: Where to write it; by default where the source lies.

    Returns:
        The folder written.

    Raises:
        MissingExtraError: As for `read_source`.
        ModelError: As for `read_source`; then nothing is written.
    """
    file = source_file(Path(source))
    content, folder = read_source(file), folder or file.parent
    if file.name == "tokenizer.json" and file.parent.resolve() != folder.resolve():
        copy_tokenizer(file.parent, folder)
    elif _is_sentencepiece(file) and file.resolve() not in [(folder / name).resolve() for name in SENTENCEPIECE_MODELS]:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / SENTENCEPIECE_MODEL)
    write_atomic(folder / "tokenizer.json", json.dumps(content, ensure_ascii=False) + "\n")
    if not (folder / "tokenizer_config.json").is_file():
        marked = {token["content"] for token in content.get("added_tokens", ()) if token["special"]}
        config = {key: token for key, token in _SPECIAL.items() if token in marked}
        write_atomic(folder / "tokenizer_config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    make_portable(folder)
    return folder


def source_file(path: Path) -> Path:
    """The file of a source that says what its vocabulary is.

    Args:
        path: As for `read_source`.

    Raises:
        ModelError: There is none.
    """
    if not path.is_dir():
        if path.is_file():
            return path
        raise ModelError(
            f"there is no tokenizer at {path}.",
            "Name a folder, a tokenizer.json, a SentencePiece .model or a tekken.json.",
        )
    named = ("tokenizer.json", *SENTENCEPIECE_MODELS)
    found = [*(path / name for name in named), *sorted(path.glob("*.model*")), path / "tekken.json"]
    for file in found:
        if file.is_file():
            return file
    raise ModelError(
        f"{path} holds no tokenizer: no tokenizer.json, no SentencePiece .model and no tekken.json.",
        "Name another folder, or write one: AutoTokenizer.from_pretrained(...).save_pretrained(...)",
    )


def _is_sentencepiece(file: Path) -> bool:
    """By name; Mistral numbers its versions as in `tokenizer.model.v3`."""
    return ".model" in file.name


def _read_tekken(path: Path) -> dict[str, Any]:
    """The `tokenizer.json` of a `tekken.json`, made by transformers."""
    problem = f"{path} is no readable tekken file"
    special = [{"rank": rank, "token_str": token} for rank, token in enumerate(_FIRST_SPECIAL)]
    try:
        tekken = {"special_tokens": special, **json.loads(path.read_text(encoding="utf-8"))}
        expected = [_tekken_ids(tekken, probe) for probe in _PROBES]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, regex.error) as error:
        raise ModelError(f"{problem}: {error}", "Download or copy the tokenizer again.") from error
    tokenizer = attempt(lambda: _converted(tekken), problem)
    if [tokenizer.encode(probe).ids for probe in _PROBES] != expected:
        raise ModelError(
            f"{path} gives other ids than the tokenizer.json made of it.",
            "Name a folder with the tokenizer.json of its makers, or upgrade: pip install -U transformers",
        )
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content


def _converted(tekken: Mapping[str, Any]) -> Tokenizer:
    from transformers.integrations.mistral import MistralConverter

    with TemporaryDirectory() as folder:
        path = Path(folder) / "tekken.json"
        path.write_text(json.dumps(tekken), encoding="utf-8")
        tokenizer: Tokenizer = MistralConverter(str(path)).converted()
        return tokenizer


def _tekken_ids(tekken: Mapping[str, Any], text: str) -> list[int]:
    """Ids by the rule of tiktoken: of all neighbours join those whose sum has the lowest rank."""
    config = tekken["config"]
    first = config.get("default_num_special_tokens", len(tekken["special_tokens"]))
    used = tekken["vocab"][: config.get("default_vocab_size", first + len(tekken["vocab"])) - first]
    ranks = {base64.b64decode(entry["token_bytes"]): rank for rank, entry in enumerate(used)}
    ids = []
    for word in regex.findall(config["pattern"], text):
        parts = [bytes([byte]) for byte in word.encode("utf-8")]
        while True:
            sums = [parts[i] + parts[i + 1] for i in range(len(parts) - 1)]
            best = min((joined for joined in sums if joined in ranks), key=ranks.__getitem__, default=None)
            if best is None:
                break
            at = sums.index(best)
            parts[at : at + 2] = [best]
        ids += [first + ranks[part] for part in parts]
    return ids
