"""`LEPCallback`: one training, and every sibling alive at each of its checkpoints."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hubadapt.errors import ModelError, RecipeError
from hubadapt.hub.client import hub_api
from hubadapt.hub.commit import require_write
from hubadapt.hub.fetch import source_folder
from hubadapt.hub.plan import folder_plan
from hubadapt.hub.publish import publish_branch
from hubadapt.integrations.background import Background, linked
from hubadapt.integrations.own_run import OwnRun
from hubadapt.integrations.sibling_record import Carried, artifact_name, with_sibling
from hubadapt.integrations.training_record import Training
from hubadapt.manifest import fingerprint, write_atomic
from hubadapt.surgery.kinship import require_akin, require_architecture, require_same_ids
from hubadapt.surgery.propagate import Lep, propagate
from hubadapt.types import Metric
from hubadapt.vocab_map import VOCAB_MAP_NAME, VocabMap

_SNAPSHOTS = ".lep"
SIBLINGS = "siblings"
MEASURED_NAME = "measured.json"


class LEPCallback(TrainerCallback):  # type: ignore[misc]
    """Carries what the base has learnt by each checkpoint into its siblings, by LEP, while training goes on.

    The trainer's model is one that a run made, or a LoRA adapter of the run's base that holds the tables; the run's
    recipe names the siblings. Each gets the folder `siblings/step-N/NAME` in the trainer's output folder. With texts
    its bits per byte are written to `siblings/step-N/measured.json`. Where it has a repository it is published as the
    revision `step-N` instead of being kept. A checkpoint's files are hard-linked aside until their turn, so that the
    trainer may delete it: where LEP takes longer than the steps between two checkpoints, they gather, and `every` makes
    them fewer.

    Args:
        run: The run folder that the model came from.
        lep: How rows are carried; by conversion where it is left out.
        every: Each how many-th checkpoint is carried on.
        texts: By language, texts to measure each sibling on, before and after.
        repositories: Hub id for each sibling that is published, by its name.
        token: Hub token; by default the one huggingface_hub finds.
        private: Whether repositories that do not exist yet are made private.

    Raises:
        ManifestError: From the constructor, when the folder holds no run or a source has changed.
        RecipeError: From the constructor, when the run has no sibling or no vocabulary, or no sibling of a name that
            has a repository, or `every` is below 1.
        ModelError: When training begins, if a sibling is no tune of the base or the model has another vocabulary than
            the run; when it ends, if a sibling could not be made.
        HubError: When training begins without a token that may write; when it ends, if one could not be published.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140.
    """

    def __init__(
        self,
        run: Path,
        lep: Lep | None = None,
        *,
        every: int = 1,
        texts: Mapping[str, Sequence[str]] | None = None,
        repositories: Mapping[str, str] | None = None,
        token: str | None = None,
        private: bool = False,
    ) -> None:
        if every < 1:
            raise RecipeError(f"every {every} checkpoints is never.", "Give `every` as 1 or more.")
        self._run = OwnRun.read(run)
        self._repositories = dict(repositories or {})
        _require_siblings(run, self._run.manifest.siblings, self._repositories)
        folders = {name: source_folder(ref, run) for name, ref in self._run.manifest.sources().items()}
        self._base, self._siblings = folders.pop("base"), folders
        self._lep = replace(lep or Lep(), vocab_map=_vocab_map(self._run))
        self._every, self._texts = every, dict(texts or {})
        self._token, self._private = token, private
        self._before: dict[str, tuple[Metric, ...]] = {}
        self._saved = 0
        self._background = Background("hubadapt-lep")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop before anything is spent if no sibling could be made, or none published."""
        _ = self._lep.transfer
        for folder in self._siblings.values():
            tables = require_architecture(self._base, folder, "sibling")
            require_same_ids(self._base, folder)
            require_akin(self._base, folder, tables)
        assert self._lep.vocab_map is not None
        _require_vocabulary(kwargs["model"], VocabMap.load(self._lep.vocab_map).new_size)
        if state.is_world_process_zero:
            for repository in self._repositories.values():
                require_write(hub_api(self._token, None), repository)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put the checkpoint just written aside, and queue LEP from it."""
        self._saved += 1
        if not state.is_world_process_zero or self._saved % self._every:
            return
        out, step = Path(args.output_dir), f"step-{state.global_step}"
        snapshot = linked(out / f"checkpoint-{state.global_step}", out / _SNAPSHOTS / step)
        # The trainer goes on counting in the same object.
        training = Training(args, copy.deepcopy(state))
        self._background.submit(step, self._carry, snapshot, out / SIBLINGS / step, training)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait until all is carried; the first failure is raised, after all were tried."""
        self._background.finish("checkpoints did not reach every sibling")

    def _carry(self, snapshot: Path, target: Path, training: Training) -> None:
        shutil.rmtree(target, ignore_errors=True)
        began = time.perf_counter()
        found = propagate(self._base, snapshot, self._siblings, target, self._lep)
        seconds = (time.perf_counter() - began) / len(found)
        measured: list[Metric] = []
        for name, one in found.items():
            metrics = (*self._measured_before(name), *self._measured(target / name, artifact_name(name)))
            measured += metrics
            if name in self._repositories:
                carried = Carried(name, target / name, self._lep, one, metrics, seconds)
                self._publish(carried, training, target.name)
        if measured:
            write_atomic(target / MEASURED_NAME, json.dumps([each.model_dump() for each in measured], indent=2) + "\n")
        shutil.rmtree(snapshot)

    def _measured_before(self, name: str) -> tuple[Metric, ...]:
        if name not in self._before:
            self._before[name] = tuple(self._measured(self._siblings[name], name))
        return self._before[name]

    def _measured(self, folder: Path, model_name: str) -> Iterator[Metric]:
        from hubadapt.evaluation.bits_per_byte import bits_per_byte
        from hubadapt.model import load_model, load_tokenizer

        if not self._texts:
            return
        model, tokenizer = load_model(folder), load_tokenizer(folder)
        for language, texts in self._texts.items():
            bits = bits_per_byte(model, tokenizer, texts)
            yield Metric(
                name="bits_per_byte", value=bits.value, unit="bits/byte", higher_is_better=False, model=model_name,
                language=language, dataset="texts of the trainer's owner",
                revision=f"sha256:{fingerprint(list(texts))}", n=bits.n, stderr=bits.stderr,
            )  # fmt: skip

    def _publish(self, carried: Carried, training: Training, revision: str) -> None:
        repository = self._repositories[carried.sibling]
        manifest = with_sibling(self._run.manifest, training, carried, published=[*self._run.addresses])
        beside = self._run.texts(manifest, artifact_name(carried.sibling), repository)
        plan = folder_plan(repository, carried.folder, beside, revision=revision)
        publish_branch(plan, token=self._token, private=self._private)
        shutil.rmtree(carried.folder)


def _require_siblings(run: Path, siblings: Mapping[str, Any], named: Mapping[str, str]) -> None:
    if not siblings:
        raise RecipeError(
            f"the run {run} names no sibling to carry the vocabulary into.",
            "Add `siblings: {instruct: MODEL}` to its recipe, and run it again.",
        )
    for name in named.keys() - siblings.keys():
        raise RecipeError(
            f"there is a repository for {name!r}, but the run {run} has no such sibling.",
            f"Name one of: {', '.join(siblings)}.",
        )


def _vocab_map(run: OwnRun) -> Path:
    found = [made for made in run.manifest.artifacts() if made.kind == "tokenizer"]
    if not found:
        raise RecipeError(
            f"the run {run.folder} made no vocabulary.", "Add the stage `tokenizer` to its recipe, and run it."
        )
    return run.folder / found[-1].folder / VOCAB_MAP_NAME


def _require_vocabulary(model: Any, size: int) -> None:
    """Stop where the checkpoints will hold no tables of the run's vocabulary."""
    # What learns rows alone, such as `RowTraining`, has checkpoints of rows alone.
    rows = model.config.get_text_config().vocab_size if hasattr(model, "save_pretrained") else 0
    if rows < size:
        raise ModelError(
            f"the trainer's checkpoints will hold a table of {rows:,} rows, the run's vocabulary needs {size:,}.",
            "Train the model that the run made, whole or as a LoRA adapter with the tables in modules_to_save.",
        )
