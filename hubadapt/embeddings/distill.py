"""New rows learnt from the old model itself: what it makes of a text must not depend on the tokenization.

The old model reads a snippet in old tokens (the teacher), and again in new ones (the pupil), where nothing but the new
rows may change. They are moved until both think the same wherever both have read the same characters.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hubadapt.embeddings import Givens, Role, initialisation
from hubadapt.embeddings.reader import Reader
from hubadapt.embeddings.snippets import Snippet, draw_snippets
from hubadapt.errors import CorpusError, ModelError
from hubadapt.learnt_rows import LearntRows
from hubadapt.vocab_map import Origin, compose_blocks

_SHRINK = 0.9
_WARMUP = 8
_FINAL_SHARE = 0.05
_OWN_EPSILON = 1e-3
_IGNORED = -100


@initialisation("distill", reference="https://arxiv.org/abs/2505.20133", needs=("texts",))
def distill(
    givens: Givens,
    *,
    steps: int = 300,
    batch: int = 8,
    length: int = 64,
    layer: float = 0.3,
    rate: float = 1e-2,
    map_rate: float = 1.5e-4,
) -> torch.Tensor:
    """Learnt from the old model reading the texts with its old tokens.

    Token distillation (Dobler, Elliott & de Melo 2025), with changes of ours. An input table learns the hidden states
    after `layer`: wherever both tokenizations have read the same characters, from the first new token on, the squared
    distance from the teacher's state over that state's squared length. An untied head learns to predict the next new
    token from the teacher's last hidden states. A tied table learns both at once, the prediction from the pupil's own
    states. Rows begin as 0.9 × the mean of their pieces, and all share three linear functions of their pieces (see
    `hubadapt.learnt_rows`): a token that the texts lack gets these alone.

    The whole model is loaded in float32; where the processor multiplies in bfloat16 it computes in that. The optimizer
    holds two numbers for each of the new rows' n · D and the shared functions' 3 · D².

    Args:
        givens: With texts, both tokenizers and the model.
        steps: Optimizer steps.
        batch: Snippets in a step.
        length: New tokens in a snippet at the most.
        layer: After which layer hidden states are compared: a share of the depth, or a whole number of layers.
        rate: Peak learning rate of each row's own part.
        map_rate: Peak learning rate of the shared functions.

    Returns:
        The new rows, shape (n_composed, D), float32.

    Raises:
        CorpusError: The texts hold none of the new tokens.
        ModelError: The loss is no longer a number, or the model keeps its layers in no list.
        RecipeError: The model has no such layer.
    """
    new = givens.pieces.rows_of(Origin.COMPOSED)
    start = torch.cat([torch.zeros(0, givens.table.shape[1]), *compose_blocks(givens.pieces, givens.table, new)])
    if not len(new):
        return start
    assert givens.model is not None
    model = givens.model()
    snippets = _numbered(givens, _document_token(model.config.get_text_config()), steps * batch, length)
    rows = LearntRows(_SHRINK * start, givens.table, givens.pieces, new).to(model.device)
    lesson = _Lesson(givens.role, Reader(model, layer), rows, snippets, givens.pieces.old_size)
    optimizer = torch.optim.AdamW(
        [{"params": [rows.own], "lr": rate, "eps": _OWN_EPSILON}, {"params": [rows.maps], "lr": map_rate}],
        betas=(0.9, 0.999),
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step + 1, steps))
    with givens.progress("distilling new rows", steps) as advance:
        for step in range(steps):
            some = snippets[step * batch : (step + 1) * batch]
            loss = lesson.loss(_batch(some, givens.pieces.old_size, model.device))
            _require_number(loss, step)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            advance(1)
    with torch.no_grad():
        learnt: torch.Tensor = rows().cpu()
    return learnt


def _numbered(givens: Givens, document: int | None, count: int, length: int) -> list[Snippet]:
    """Snippets with new tokens, `count` of them, each after the document token, new rows numbered from V_old on.

    Texts that give fewer are read again in another order.
    """
    assert givens.encoders is not None
    pieces = givens.pieces
    new = pieces.rows_of(Origin.COMPOSED)
    numbers = np.full(pieces.new_size, -1)
    copied = pieces.rows_of(Origin.COPIED)
    numbers[copied] = pieces.indices[pieces.indptr[copied]]
    numbers[new] = pieces.old_size + np.arange(len(new))
    found: list[Snippet] = []
    for seed in range(givens.seed, givens.seed + count):
        drawn = draw_snippets(givens.texts, givens.encoders, length=length, seed=seed)
        numbered = (_after(document, snippet.old, numbers[snippet.new], snippet) for snippet in drawn)
        useful = (item for item in numbered if item.new.max() >= pieces.old_size and item.new.min() >= 0)
        found += islice(useful, count - len(found))
        if len(found) == count:
            break
        if not found:
            raise CorpusError(
                f"the texts hold none of the {len(new)} new tokens.",
                "Give text of the language that the vocabulary was made for.",
            )
    # Neighbours in a text would otherwise meet in one step.
    random.Random(givens.seed).shuffle(found)
    return found


def _after(document: int | None, old: np.ndarray, new: np.ndarray, snippet: Snippet) -> Snippet:
    if document is None:
        return Snippet(old, new, snippet.old_ends, snippet.new_ends)
    return Snippet(
        np.concatenate([[document], old]),
        np.concatenate([[document], new]),
        snippet.old_ends + 1,
        snippet.new_ends + 1,
    )


def _document_token(config: Any) -> int | None:
    token = config.bos_token_id if config.bos_token_id is not None else config.eos_token_id
    first: int | None = token[0] if isinstance(token, list) else token
    return first


@dataclass(frozen=True)
class _Batch:
    """Snippets side by side, filled up on the right, where nothing that comes earlier can see it.

    Attributes:
        old: Old ids, shape (B, T_old).
        new: New ids, shape (B, T_new).
        old_next: For each place in `old` the new id that follows it, shape (B, T_old); -100 where none begins there.
        new_next: The same for `new`, shape (B, T_new).
        row: Snippet of each pair of places to compare, shape (n,).
        old_at: Its place in `old`, shape (n,).
        new_at: Its place in `new`, shape (n,).
    """

    old: torch.Tensor
    new: torch.Tensor
    old_next: torch.Tensor
    new_next: torch.Tensor
    row: torch.Tensor
    old_at: torch.Tensor
    new_at: torch.Tensor


def _batch(snippets: Sequence[Snippet], first_new: int, device: torch.device) -> _Batch:
    old_next = [np.full(len(snippet.old), _IGNORED) for snippet in snippets]
    for ids, snippet in zip(old_next, snippets, strict=True):
        ids[snippet.old_ends[:-1]] = snippet.new[snippet.new_ends[:-1] + 1]
    seen = [(np.cumsum(snippet.new >= first_new) > 0)[snippet.new_ends] for snippet in snippets]
    pairs = [
        np.stack([np.full(int(after.sum()), row), snippet.old_ends[after], snippet.new_ends[after]])
        for row, (snippet, after) in enumerate(zip(snippets, seen, strict=True))
    ]
    row, old_at, new_at = torch.from_numpy(np.concatenate(pairs, axis=1)).to(device)
    return _Batch(
        _filled([snippet.old for snippet in snippets], 0, device),
        _filled([snippet.new for snippet in snippets], 0, device),
        _filled(old_next, _IGNORED, device),
        _filled([np.append(snippet.new[1:], _IGNORED) for snippet in snippets], _IGNORED, device),
        row,
        old_at,
        new_at,
    )


def _filled(rows: Sequence[np.ndarray], value: int, device: torch.device) -> torch.Tensor:
    tensors = [torch.from_numpy(row) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value).to(device)


class _Lesson:
    """What the rows of one table have to learn, by the table's role.

    Args:
        role: That of the table.
        reader: The old model.
        rows: The rows that learn.
        snippets: All that will be read.
        first_new: V_old.
    """

    def __init__(
        self, role: Role, reader: Reader, rows: LearntRows, snippets: Sequence[Snippet], first_new: int
    ) -> None:
        self.role, self.reader = role, reader
        counts = np.bincount(np.concatenate([snippet.new for snippet in snippets]), minlength=first_new + len(rows.own))
        seen = torch.from_numpy(counts[first_new:] > 0).to(rows.own.device)
        # A token that never occurs would only be pushed away from what is predicted.
        rows.own.register_hook(lambda gradient: gradient * seen[:, None])  # type: ignore[no-untyped-call]
        if role != "head":
            reader.read(rows)
        if role != "input":
            candidates = torch.from_numpy(np.flatnonzero(counts[:first_new]))
            scored = torch.cat([candidates, torch.arange(first_new, len(counts))])
            self.places = torch.full((len(counts),), _IGNORED).index_copy_(0, scored, torch.arange(len(scored)))
            reader.predict(candidates, rows)

    def loss(self, batch: _Batch) -> torch.Tensor:
        """How far the rows are from what they should be, averaged over places."""
        if self.role == "head":
            _, logits = self.reader.hidden_and_logits(batch.old)
            return self._surprise(logits, batch.old_next)
        with torch.no_grad():
            taught = self.reader.hidden(batch.old)[batch.row, batch.old_at]
        if self.role == "input":
            return _distance(self.reader.hidden(batch.new)[batch.row, batch.new_at], taught)
        hidden, logits = self.reader.hidden_and_logits(batch.new)
        return self._surprise(logits, batch.new_next) + _distance(hidden[batch.row, batch.new_at], taught)

    def _surprise(self, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of logits (B, T, C + n_new) for the ids (B, T) that follow."""
        places = self.places[ids.clamp(min=0)].where(ids >= 0, _IGNORED)
        return functional.cross_entropy(logits.flatten(0, 1), places.flatten(), ignore_index=_IGNORED)


def _distance(states: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Mean over places of the squared distance of states (n, D), over the squared length of what is taught."""
    return ((states - taught).square().sum(dim=1) / taught.square().sum(dim=1)).mean()


def _share(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine down to a twentieth."""
    warm = min(1.0, step / min(_WARMUP, max(1, steps // 6)))
    return warm * (_FINAL_SHARE + (1 - _FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _require_number(loss: torch.Tensor, step: int) -> None:
    if not loss.isfinite():
        raise ModelError(
            f"distilling new rows diverged: the loss is {loss.item()} at step {step + 1}.",
            "Lower its rates: distill(rate=0.003, map_rate=5e-5).",
        )
