"""Orthogonal matching pursuit for many targets at once: scored roughly, decided exactly."""

from __future__ import annotations

import time

import torch

_BATCH = 512
_BATCH_BYTES = 1 << 29
_BLOCK = 4096
_GROUP = 32
_TRIED = 8
_SAFETY = 4.0
_EXHAUSTED = 1e-6


def pursue(targets: torch.Tensor, atoms: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Write each target as a combination of k atoms, chosen greedily.

    In each step the atom with the largest |⟨residual, atom⟩| joins, and all weights become those of least squares
    (Pati, Rezaiifar & Krishnaprasad 1993). All atoms are scored in bfloat16, where the processor is quick at it; the
    eight highest are then scored in float32, and where the best of them does not lead the ninth by four times the error
    that this shows, all atoms are. Weights are updated in float64 by an inverse Cholesky factor. Beside the arguments
    it takes the atoms once more in bfloat16, and half a gigabyte.

    Args:
        targets: Shape (n, D), any float dtype.
        atoms: Shape (N, D), any float dtype; N ≥ k.
        k: Atoms of each target.

    Returns:
        Indices of atoms in the order in which they were chosen, shape (n, k), int64, and their weights, float64. Where
        fewer atoms give the target, to a millionth of its norm, the rest have weight 0.

    Raises:
        ValueError: There are fewer atoms than k.
    """
    if len(atoms) < k:
        raise ValueError(f"{len(atoms)} atoms are fewer than k = {k}")
    known = _Atoms(atoms)
    each = 4 * (len(atoms) + k * atoms.shape[1]) + 8 * k * k
    size = max(1, min(_BATCH, _BATCH_BYTES // each))
    chosen, weights = [torch.zeros(0, k, dtype=torch.long)], [torch.zeros(0, k, dtype=torch.float64)]
    for start in range(0, len(targets), size):
        batch = _Batch(targets[start : start + size].float(), known, k)
        for _ in range(k):
            batch.step()
        chosen.append(batch.chosen)
        weights.append(batch.weights)
    return torch.cat(chosen), torch.cat(weights)


class _Atoms:
    """Atoms in blocks, as they are scored.

    Attributes:
        rows: The atoms themselves, shape (N, D).
    """

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows
        some = rows[:1024]
        self._short = _seconds(some.bfloat16()) < _seconds(some.float())
        self._blocks = [
            rows[start : start + _BLOCK].bfloat16() if self._short else rows[start : start + _BLOCK]
            for start in range(0, len(rows), _BLOCK)
        ]
        self._sizes = torch.zeros(0)

    def highest(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The eight atoms with the largest |⟨vector, atom⟩|, roughly.

        Returns:
            Which they are, shape (B, 8), with ids from N on for none; their sizes, (B, 8); the ninth size, (B,).
        """
        count, blocks = len(vectors), len(self._blocks)
        columns = (vectors.bfloat16() if self._short else vectors).T
        # Memory that is used again need not be cleared by the system again.
        if self._sizes.shape[-1] != count:
            self._sizes = torch.zeros(blocks, _BLOCK, count, dtype=columns.dtype)
        peaks = torch.empty(count, blocks * _BLOCK // _GROUP, dtype=columns.dtype)
        for at, block in enumerate(self._blocks):
            sizes = self._sizes[at]
            torch.mm(block.to(columns.dtype), columns, out=sizes[: len(block)]).abs_()
            groups = slice(at * _BLOCK // _GROUP, (at + 1) * _BLOCK // _GROUP)
            peaks[:, groups] = sizes.view(-1, _GROUP, count).amax(dim=1).T
        # A sort of all is slow; the nine highest lie in the nine groups with the highest peaks.
        many = peaks.topk(_TRIED + 1, dim=1).indices
        ids = (many[:, :, None] * _GROUP + torch.arange(_GROUP)).flatten(1)
        top = self._sizes.view(-1, count)[ids, torch.arange(count)[:, None]].float().topk(_TRIED + 1, dim=1)
        return ids.gather(1, top.indices[:, :_TRIED]), top.values[:, :_TRIED], top.values[:, _TRIED]

    def search(self, vectors: torch.Tensor, barred: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The atom with the largest |⟨vector, atom⟩| and ⟨vector, atom⟩, shapes (B,), in float32.

        Args:
            vectors: Shape (B, D).
            barred: Atoms that do not count, shape (B, m).
        """
        starts = range(0, len(self.rows), _BLOCK)
        scores = torch.cat([vectors @ self.rows[start : start + _BLOCK].float().T for start in starts], dim=1)
        best = scores.abs().scatter_(1, barred, -1.0).argmax(dim=1)
        return best, scores.gather(1, best[:, None])[:, 0]


class _Batch:
    """Targets that are pursued together.

    Attributes:
        chosen: Atoms so far, shape (B, k); those of steps to come are 0.
        weights: Their weights, shape (B, k), float64.
    """

    def __init__(self, targets: torch.Tensor, atoms: _Atoms, k: int) -> None:
        count, width = targets.shape
        self.chosen = torch.zeros(count, k, dtype=torch.long)
        self.weights = torch.zeros(count, k, dtype=torch.float64)
        self._targets, self._residuals = targets, targets.clone()
        self._atoms = atoms
        self._rows = torch.zeros(count, k, width)
        # Inverse, transposed, of the Cholesky factor of the chosen atoms' Gram matrix.
        self._inverse = torch.zeros(count, k, k, dtype=torch.float64)
        self._step = 0

    def step(self) -> None:
        """Choose one more atom for each target, and fit the weights."""
        at = self._step
        # What is written exactly keeps its weights.
        open_ = self._residuals.norm(dim=1) > _EXHAUSTED * self._targets.norm(dim=1)
        best, score = self._best(open_)
        self.chosen[:, at], self._rows[:, at] = best, self._atoms.rows[best].float()
        self._fit(score.double(), open_)
        self._step += 1
        used = slice(0, self._step)
        fitted = torch.bmm(self.weights[:, None, used].float(), self._rows[:, used])[:, 0]
        self._residuals = self._targets - fitted

    def _best(self, open_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The atom that joins each target, and its score, shapes (B,)."""
        chosen, atoms = self.chosen[:, : self._step], self._atoms.rows
        tried, sizes, rest = self._atoms.highest(self._residuals)
        scores = torch.bmm(atoms[tried.clamp(max=len(atoms) - 1)].float(), self._residuals[:, :, None])[:, :, 0]
        barred = (tried >= len(atoms)) | (tried[:, :, None] == chosen[:, None]).any(dim=2)
        error = (scores.abs() - sizes).abs().masked_fill(barred, 0.0).amax(dim=1)
        height, which = scores.abs().masked_fill(barred, -1.0).max(dim=1, keepdim=True)
        best, score = tried.gather(1, which)[:, 0], scores.gather(1, which)[:, 0]
        doubtful = torch.where(open_, height[:, 0] < rest + _SAFETY * error, height[:, 0] < 0)
        if doubtful.any():
            best[doubtful], score[doubtful] = self._atoms.search(self._residuals[doubtful], chosen[doubtful])
        return best, score

    def _fit(self, score: torch.Tensor, open_: torch.Tensor) -> None:
        """Weights of least squares, where an atom has joined with this score, shape (B,)."""
        at, new = self._step, self._rows[:, self._step]
        inverse = self._inverse[:, :at, :at]
        shared = torch.bmm(self._rows[:, :at], new[:, :, None]).double() * open_[:, None, None]
        shared = torch.bmm(inverse.transpose(1, 2), shared)
        height = new.double().square().sum(dim=1) - shared[:, :, 0].square().sum(dim=1)
        height = height.clamp(min=1e-12).masked_fill(~open_, 1.0)
        direction = torch.bmm(inverse, shared)[:, :, 0]
        self._inverse[:, :at, at] = -direction / height.sqrt()[:, None]
        self._inverse[:, at, at] = 1 / height.sqrt()
        gain = score.masked_fill(~open_, 0.0) / height
        self.weights[:, :at] -= direction * gain[:, None]
        self.weights[:, at] = gain


def _seconds(rows: torch.Tensor) -> float:
    """How long a product of some rows takes; most processors are faster in bfloat16, others far slower."""
    columns = rows[:64].T
    torch.mm(rows, columns)
    start = time.perf_counter()
    torch.mm(rows, columns)
    return time.perf_counter() - start
