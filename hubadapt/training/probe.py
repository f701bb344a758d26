"""Compares initialisations by what they become: bits per byte after a short training of the new rows, on equal terms.

The loss right after surgery does not tell which rows will serve best once they learn (arXiv 2608.03494), so each
candidate is made, measured, trained for some fifty steps on the same blocks in the same order, and measured again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hubadapt.checkpoint import Tables, find_tables, load_config
from hubadapt.errors import CorpusError, UserError, raise_all
from hubadapt.evaluation.bits_per_byte import bits_of_texts, bytes_of_texts, document_token
from hubadapt.model import load_model, load_tokenizer
from hubadapt.ratio import Ratio, ratio_of_sums
from hubadapt.surgery.embed import Start, chosen_methods, embed, read_pieces
from hubadapt.training.packing import pack
from hubadapt.types import Progress, silent
from hubadapt.vocab_map import Origin, VocabMap

if TYPE_CHECKING:
    from hubadapt.training.row_trainer import RowSchedule

_NORMAL = 1.96


@dataclass(frozen=True)
class ProbeTexts:
    """What a probe trains and measures on.

    Attributes:
        train: Target-language documents to train on.
        target: Other target-language texts, to measure on.
        english: English texts, to measure what was kept.
    """

    train: Sequence[str]
    target: Sequence[str]
    english: Sequence[str]


@dataclass(frozen=True)
class ProbeSettings:
    """How long and how a probe trains, and what it allows.

    Attributes:
        steps: Optimizer steps.
        batch_size: Blocks in a step.
        block_size: Tokens in a block.
        learning_rate: Peak rate of each row's own part.
        map_learning_rate: Peak rate of the maps that all new rows share.
        tolerance: Share by which English may lose on the base before a candidate comes after all that keep it.
        seed: Decides the order of documents.
    """

    steps: int = 50
    batch_size: int = 4
    block_size: int = 128
    learning_rate: float = 1e-2
    map_learning_rate: float = 1.5e-4
    tolerance: float = 0.005
    seed: int = 0


_USUAL = ProbeSettings()


@dataclass(frozen=True)
class Measured:
    """Bits per byte of one candidate at one moment.

    Attributes:
        target: On the target language.
        english: On English.
    """

    target: Ratio
    english: Ratio


@dataclass(frozen=True)
class Standing:
    """How one candidate fared.

    Attributes:
        start: The candidate.
        before: Right after surgery.
        after: After the short training.
        behind: Bits per byte of the target language behind the best after training, with the standard error of that
            difference over texts, paired; exactly 0 for the best and its equals.
        english_loss: English bits per byte above the base's after training, paired in the same way.
        keeps_english: Whether that is no more than the tolerance.
    """

    start: Start
    before: Measured
    after: Measured
    behind: Ratio
    english_loss: Ratio
    keeps_english: bool

    @property
    def name(self) -> str:
        """Its methods, that of the head after a slash where it has one of its own."""
        return name_of(self.start)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `behind`."""
        return self.behind.value - _NORMAL * self.behind.stderr, self.behind.value + _NORMAL * self.behind.stderr

    @property
    def level(self) -> bool:
        """Whether it cannot be told from the best: the interval holds 0."""
        return self.interval[0] <= 0 <= self.interval[1]


def name_of(start: Start) -> str:
    """The methods of a candidate, that of the head after a slash where it has one of its own."""
    head = start.head_method
    return start.method if head in (None, start.method) else f"{start.method} / {head}"


def probe(
    base: Path,
    tokenizer: Path,
    starts: Sequence[Start],
    texts: ProbeTexts,
    folder: Path,
    *,
    settings: ProbeSettings = _USUAL,
    progress: Progress = silent,
) -> tuple[Standing, ...]:
    """Make, measure, train and measure each candidate, and rank them.

    Candidates that keep English come before those that do not. Among the former the best on the target language and
    all that cannot be told from it come first, in the order given, which should be from simple to costly; the others
    follow by their bits per byte. Those that lose English are ranked by how much they lose.

    Args:
        base: Checkpoint folder.
        tokenizer: Folder with the new tokenizer, its new ids at the end.
        starts: The candidates, simple ones first.
        texts: What to train and measure on.
        folder: An existing folder for one candidate at a time; nothing is left in it.
        settings: How long to train, and what to allow.
        progress: Opens progress bars.

    Returns:
        The candidates, best first.

    Raises:
        RecipeError: A method is not known, or lacks what it needs; before anything is done.
        CorpusError: There are no texts to measure on, or too few to train on; likewise.
        ModelError: The base is damaged, or its training diverged.
    """
    tables = find_tables(load_config(base))
    _require(starts, texts, tables)
    terms = _terms(tokenizer, read_pieces(base, tokenizer, tables), texts, settings, progress)
    english = bits_of_texts(load_model(base), load_tokenizer(base), texts.english)
    trials = []
    for start in starts:
        with tempfile.TemporaryDirectory(prefix="probe-", dir=folder) as scratch:
            trials.append(_trial(base, start, terms, Path(scratch), progress))
    return _ranked(trials, terms, english)


def _require(starts: Sequence[Start], texts: ProbeTexts, tables: Tables) -> None:
    problems: list[UserError] = []
    for start in starts:
        try:
            chosen_methods(start, tables)
        except UserError as error:
            problems.append(error)
    for name, given in (("target-language", texts.target), ("English", texts.english)):
        if not given:
            problems.append(
                CorpusError(
                    f"a probe measures on {name} texts, but there are none.",
                    "Give the corpus a source of that language, or name one method instead of comparing several.",
                )
            )
    raise_all(problems)


@dataclass(frozen=True)
class _Terms:
    """What all candidates have in common."""

    tokenizer: Path
    pieces: VocabMap
    blocks: np.ndarray
    texts: ProbeTexts
    settings: ProbeSettings

    @property
    def first_new(self) -> int:
        return int(self.pieces.rows_of(Origin.COPIED).max()) + 1


@dataclass(frozen=True)
class _Bits:
    """Bits of each text, shapes (n_target,) and (n_english,), float64."""

    target: np.ndarray
    english: np.ndarray


@dataclass(frozen=True)
class _Trial:
    """What was measured of one candidate."""

    start: Start
    before: _Bits
    after: _Bits


def _terms(tokenizer: Path, pieces: VocabMap, texts: ProbeTexts, settings: ProbeSettings, progress: Progress) -> _Terms:
    encoder = load_tokenizer(tokenizer)
    shape = (settings.steps * settings.batch_size, settings.block_size)
    with progress("packing", shape[0]) as advance:
        first = document_token(encoder)
        blocks = pack(texts.train, encoder, first=first, shape=shape, seed=settings.seed, advance=advance)
    return _Terms(tokenizer, pieces, blocks, texts, settings)


def _trial(base: Path, start: Start, terms: _Terms, scratch: Path, progress: Progress) -> _Trial:
    model = scratch / "model"
    embed(base, terms.tokenizer, model, start, progress=progress)
    name = name_of(start)
    before = _measured(load_model(model), terms, name, progress)
    rows = _trained(model, terms, scratch / "checkpoints", name, progress)
    adapted = load_model(model)
    tables = (adapted.get_input_embeddings(), adapted.get_output_embeddings())
    with torch.no_grad():
        for table, learnt in zip(tables, rows, strict=False):
            table.weight[terms.first_new :] = learnt
    return _Trial(start, before, _measured(adapted, terms, name, progress))


def _measured(model: Any, terms: _Terms, name: str, progress: Progress) -> _Bits:
    tokenizer = load_tokenizer(terms.tokenizer)
    texts = (terms.texts.target, terms.texts.english)
    with progress(f"measuring {name}", sum(map(len, texts))) as advance:
        return _Bits(*(bits_of_texts(model, tokenizer, some, advance) for some in texts))


def _trained(model: Path, terms: _Terms, folder: Path, name: str, progress: Progress) -> tuple[torch.Tensor, ...]:
    from hubadapt.training.row_trainer import train_rows
    from hubadapt.training.rows import RowTraining

    old = terms.blocks[terms.blocks < terms.first_new]
    learner = RowTraining(load_model(model), terms.pieces, terms.first_new, old)
    schedule = _schedule(terms.settings)
    with progress(f"training rows of {name}", schedule.steps) as advance:
        train_rows(learner, terms.blocks, schedule, first_new=terms.first_new, folder=folder, advance=advance)
    return learner.trained_rows()


def _schedule(settings: ProbeSettings) -> RowSchedule:
    from hubadapt.training.row_trainer import RowSchedule

    return RowSchedule(
        steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        map_learning_rate=settings.map_learning_rate,
        own_epsilon=1e-3,
        final_share=0.05,
        warmup_steps=min(8, settings.steps // 6),
        beta2=0.999,
        save_every=settings.steps,
        seed=settings.seed,
    )


def _ranked(trials: Sequence[_Trial], terms: _Terms, base_english: np.ndarray) -> tuple[Standing, ...]:
    target, english = bytes_of_texts(terms.texts.target), bytes_of_texts(terms.texts.english)
    allowed = terms.settings.tolerance * base_english.sum() / english.sum()
    losses = [ratio_of_sums(trial.after.english - base_english, english) for trial in trials]
    keeping = [trial for trial, loss in zip(trials, losses, strict=True) if loss.value <= allowed]
    best = min(keeping or trials, key=lambda trial: float(trial.after.target.sum()))
    standings = [
        Standing(
            start=trial.start,
            before=_as_ratios(trial.before, target, english),
            after=_as_ratios(trial.after, target, english),
            behind=ratio_of_sums(trial.after.target - best.after.target, target),
            english_loss=loss,
            keeps_english=bool(loss.value <= allowed),
        )
        for trial, loss in zip(trials, losses, strict=True)
    ]
    return tuple(sorted(standings, key=_rank))


def _rank(standing: Standing) -> tuple[int, float]:
    if not standing.keeps_english:
        return 2, standing.english_loss.value
    # Sorting is stable: those that cannot be told apart stay in the order given.
    return (0, 0.0) if standing.level else (1, standing.behind.value)


def _as_ratios(bits: _Bits, target: np.ndarray, english: np.ndarray) -> Measured:
    return Measured(ratio_of_sums(bits.target, target), ratio_of_sums(bits.english, english))
