"""`HubStageCallback`: publishes each checkpoint as a revision, in the background."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hubadapt.hub.client import hub_api
from hubadapt.hub.commit import require_write
from hubadapt.hub.plan import RepositoryPlan, folder_plan
from hubadapt.hub.publish import publish_branch
from hubadapt.integrations.background import Background, linked
from hubadapt.integrations.own_run import OwnRun
from hubadapt.integrations.training_record import Training
from hubadapt.portable import make_portable

_SNAPSHOTS = ".hub"


class HubStageCallback(TrainerCallback):  # type: ignore[misc]
    """Publishes every checkpoint of a trainer as the revision `step-N` of one repository, with its card.

    Training goes on meanwhile: a checkpoint's files are hard-linked aside, so that the trainer may delete it, and one
    thread uploads them in order. Only weights, configuration and tokenizer travel, never optimizer or random state.

    Args:
        run: The run folder that the model came from.
        repository: Hub id, `owner/name`.
        token: Hub token; by default the one huggingface_hub finds.
        endpoint: The Hub; by default the one of `HF_ENDPOINT`.
        private: Whether the repository is made private where it does not exist yet.

    Raises:
        ManifestError: From the constructor, when the folder holds no run.
        HubError: When training begins without a token that may write; when it ends, if a checkpoint was not published.
    """

    def __init__(
        self,
        run: Path,
        repository: str,
        *,
        token: str | None = None,
        endpoint: str | None = None,
        private: bool = False,
    ) -> None:
        self._run = OwnRun.read(run)
        self._repository = repository
        self._token, self._endpoint = token, endpoint
        self._private = private
        self._background = Background("hubadapt-push")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop before anything is spent if nothing could be published."""
        if state.is_world_process_zero:
            require_write(hub_api(self._token, self._endpoint), self._repository)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put the checkpoint just written aside, and queue its upload."""
        if not state.is_world_process_zero:
            return
        revision = f"step-{state.global_step}"
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        snapshot = linked(checkpoint, Path(args.output_dir) / _SNAPSHOTS / revision)
        make_portable(snapshot)
        beside = self._run.beside(Training(args, state), snapshot, self._repository)
        plan = folder_plan(self._repository, snapshot, beside, revision=revision)
        self._background.submit(revision, self._publish, snapshot, plan)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait for the uploads; the first that failed is raised, after all were tried."""
        self._background.finish("checkpoints were not published")

    def _publish(self, snapshot: Path, plan: RepositoryPlan) -> None:
        publish_branch(plan, token=self._token, endpoint=self._endpoint, private=self._private)
        shutil.rmtree(snapshot)
