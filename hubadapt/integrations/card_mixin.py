"""`HubCardMixin`: the trainer's card is ours, whenever and however the trainer pushes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hubadapt.hub.client import hub_api
from hubadapt.hub.commit import words_on_hub
from hubadapt.hub.owner_words import with_words
from hubadapt.integrations.own_run import OwnRun
from hubadapt.integrations.training_record import Training
from hubadapt.manifest import write_atomic


class HubCardMixin:
    """Makes a trainer write hubadapt's card where it would write its own.

    Trainers write `README.md` anew at every `push_to_hub`, so that one which a callback wrote is lost; the method they
    call for it is what can be replaced. What its owner wrote on the Hub between the two marks at a card's end is kept.
    Put the mixin first::

        class Trainer(HubCardMixin, SFTTrainer):
            hubadapt_run = Path("runs/my-model-ru")

    Attributes:
        hubadapt_run: The run folder that the model came from.

    Raises:
        ManifestError: From the constructor, when the folder holds no run.
    """

    hubadapt_run: Path

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._own_run = OwnRun.read(Path(self.hubadapt_run))
        super().__init__(*args, **kwargs)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write the cards and their pictures to the output folder; what trainers pass is known from the run.

        Raises:
            HubError: The trainer is about to push, and the Hub does not answer.
        """
        trainer: Any = self
        if not trainer.is_world_process_zero():
            return
        folder = Path(trainer.args.output_dir)
        pushed_to = getattr(trainer, "hub_model_id", None)
        repository = pushed_to or trainer.args.hub_model_id or folder.name
        training = Training(trainer.args, trainer.state)
        for upload in self._own_run.beside(training, folder, repository):
            if pushed_to and upload.path.startswith("README"):
                words = words_on_hub(hub_api(trainer.args.hub_token), pushed_to, upload.path)
                write_atomic(folder / upload.path, with_words(upload.text, words))
            else:
                write_atomic(folder / upload.path, upload.local.read_bytes() if upload.local else upload.text)
