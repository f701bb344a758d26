"""The tokenizer of an adapted sibling: entries and merges of the adapted base, added tokens and template of its own."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubadapt.errors import ModelError
from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer
from hubadapt.portable import TOKENIZER_CONFIG, make_portable, move_added_tokens
from hubadapt.surgery.placement import Placement, Vocabularies, added_tokens
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.tokenizer.renumber import renumbered_processor
from hubadapt.tokenizer.sentencepiece_model import keep_in_step
from hubadapt.tokenizer.unigram import unused_name
from hubadapt.tokenizer.vocabulary import NewVocabulary

_SIBLINGS_OWN = (TOKENIZER_CONFIG, "special_tokens_map.json", "chat_template.jinja")


def write_sibling_tokenizer(
    target: Path, *, adapted: Path, sibling: Path, content: Mapping[str, Any], placement: Placement
) -> None:
    """Write the tokenizer files of an adapted sibling.

    Args:
        target: Folder to write them to.
        adapted: Folder of the adapted base, whose files are taken but for the sibling's configuration, special tokens
            and chat template.
        sibling: The sibling's folder.
        content: Its new `tokenizer.json`, as `sibling_content` gives it.
        placement: Where its ids went.
    """
    copy_tokenizer(adapted, target)
    before = read_tokenizer_json(adapted)
    if content != before:
        write_atomic(target / "tokenizer.json", json.dumps(content, ensure_ascii=False) + "\n")
        rows = range(len(placement.own))
        keep_in_step(adapted, target, NewVocabulary(dict(content), rows, (), (), len(rows)))
    for name in _SIBLINGS_OWN:
        (target / name).unlink(missing_ok=True)
        if (sibling / name).is_file():
            shutil.copyfile(sibling / name, target / name)
    if placement.moved_ids is not None:
        move_added_tokens(target, placement.moved_ids)
    make_portable(target)


def sibling_content(
    vocabularies: Vocabularies, sibling: Mapping[str, Any], placement: Placement, folder: Path
) -> dict[str, Any]:
    """The `tokenizer.json` of an adapted sibling.

    Entries and merges are the adapted base's. Added tokens are the sibling's, and those that the adaptation brought;
    tokens that the base added and the sibling has not are left out. What stands around a text (the post-processor) is
    the sibling's where it differs from the base's.

    Args:
        vocabularies: Of the base, before and after its adaptation.
        sibling: Content of the sibling's `tokenizer.json`.
        placement: Where its ids go.
        folder: The sibling's, for messages.

    Raises:
        ModelError: Its post-processor names a token that is gone.
    """
    base, mine = added_tokens(vocabularies.base), placement.added
    content = copy.deepcopy(dict(vocabularies.adapted))
    taken = {*mine.values()}
    kept = [
        token
        for token in content.get("added_tokens", ())
        if token["content"] not in mine and token["content"] not in base and token["id"] not in taken
    ]
    moved = [{**token, "id": mine[token["content"]]} for token in sibling.get("added_tokens", ())]
    content["added_tokens"] = sorted([*kept, *moved], key=lambda token: token["id"])
    gone = {entry for entry in base if entry not in mine and entry not in all_entries(dict(sibling))}
    gone |= {entry for entry in added_tokens(vocabularies.adapted) if entry not in base and entry in mine}
    if gone or not mine.items() <= all_entries(dict(vocabularies.adapted)).items():
        _set_entries(content["model"], added_tokens(content), gone)
    if sibling.get("post_processor") != vocabularies.base.get("post_processor"):
        content["post_processor"] = _processor(sibling, placement, folder)
    return content


def _set_entries(model: dict[str, Any], added: Mapping[str, int], gone: set[str]) -> None:
    """Give the model's vocabulary the added tokens: one that it lacks would be renumbered by its length."""
    vocab = model["vocab"]
    if isinstance(vocab, list):
        lowest = min(score for _, score in vocab)
        vocab += [[unused_name(index), lowest] for index in range(len(vocab), 1 + max(added.values(), default=-1))]
        for index, (entry, _) in enumerate(vocab):
            if entry in gone:
                vocab[index] = [unused_name(index), lowest]
        for entry, index in added.items():
            if vocab[index][0] != entry:
                vocab[index] = [entry, lowest]
        return
    at = {index: entry for entry, index in vocab.items()}
    for entry in [*gone, *(at[index] for entry, index in added.items() if at.get(index, entry) != entry)]:
        vocab.pop(entry, None)
    vocab.update(added)


def _processor(sibling: Mapping[str, Any], placement: Placement, folder: Path) -> dict[str, Any] | None:
    processor: dict[str, Any] | None = sibling.get("post_processor")
    if placement.moved_ids is None:
        return processor
    try:
        return renumbered_processor(processor, placement.moved_ids)
    except KeyError as error:
        raise ModelError(
            f"{folder}/tokenizer.json puts the token id {error.args[0]} around every text, which the new vocabulary "
            "does not keep.",
            "Correct its post_processor, or keep the token.",
        ) from None
