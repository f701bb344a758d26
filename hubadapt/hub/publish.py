"""Carries a push plan out: one repository after the other, one atomic commit each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubadapt.card.metadata import card_problems, record_problems
from hubadapt.errors import CardError, HubError, ManifestError, UserError, raise_all
from hubadapt.hub.errors import explained
from hubadapt.hub.fetch import cached_folder, source_folder
from hubadapt.hub.plan import (
    LICENCE_FILES,
    MAIN,
    Remote,
    RemoteFile,
    RepositoryPlan,
    Source,
    Upload,
    changed,
    plan_push,
)
from hubadapt.licences import open_questions
from hubadapt.lineage import Names
from hubadapt.manifest import damage, file_entry, list_files, read_manifest, write_atomic
from hubadapt.secret_scan import find_secrets
from hubadapt.types import Artifact, Manifest

_REGULAR_LIMIT = 20_000_000
RECEIPT_NAME = "receipt.json"
NOTES_NAME = "notes.md"


@dataclass(frozen=True)
class Published:
    """What one repository got.

    Attributes:
        id: Hub id.
        type: Model or dataset.
        commit: Commit sha of `main` afterwards.
        files: How many files changed; 0 means no commit was made.
        url: Its page.
    """

    id: str
    type: str
    commit: str
    files: int
    url: str


def prepare(run: Path, namespace: str) -> list[RepositoryPlan]:
    """The plan for a run folder, after checking that it may be published, and would be taken, as it is.

    Args:
        run: The run folder.
        namespace: User or organisation to publish under.

    Raises:
        ManifestError: The manifest, a file it names or a local source is missing or damaged.
        LicenceError: A licence is missing, or does not allow what is to be published.
        CardError: A card says what a Hub would refuse, or something else than the files beside it.
        HubError: The notes hold what looks like a secret.
    """
    manifest = read_manifest(run)
    if not manifest.licences:
        raise ManifestError(
            f"the record of {run} holds no licence chain.", f"Bring it up to date: hubadapt run RECIPE.yaml --out {run}"
        )
    raise_all(open_questions(manifest.licences, manifest.license_decisions))
    plans = draft(run, namespace)
    models = {Names(manifest, namespace)[made.name]: made for made in manifest.artifacts() if made.kind == "model"}
    raise_all([error for plan in plans for error in _card_errors(plan, manifest, models.get(plan.id))])
    return plans


def draft(run: Path, namespace: str) -> list[RepositoryPlan]:
    """The plan for a run folder as `prepare` gives it, whether or not it may be published.

    Args:
        run: The run folder.
        namespace: User or organisation to publish under.

    Raises:
        ManifestError: The manifest, a file it names or a local source is missing or damaged.
        HubError: The notes hold what looks like a secret.
    """
    manifest = read_manifest(run)
    for artifact in manifest.artifacts():
        wrong = damage(run, artifact)
        if wrong:
            raise ManifestError(
                f"the run {run} is damaged: {wrong}.", f"Run the recipe again: hubadapt run RECIPE.yaml --out {run}"
            )
    sources = _local_sources(manifest, run)
    terms = sources | _terms(manifest)
    return plan_push(manifest, run, Names(manifest, namespace), sources=sources, terms=terms, notes=_notes(run))


def publish(
    run: Path,
    plans: list[RepositoryPlan],
    *,
    token: str | None = None,
    endpoint: str | None = None,
    private: bool = False,
    report: Callable[[RepositoryPlan, str], None] = lambda plan, event: None,
) -> list[Published]:
    """Publish every repository of a plan; those that hold everything already get no commit.

    An interrupted push is continued by the same call: what has arrived is not sent again.

    Args:
        run: The run folder; a receipt is written into it.
        plans: What to publish, in order.
        token: Hub token; by default the one huggingface_hub finds.
        endpoint: The Hub; by default the one of `HF_ENDPOINT`.
        private: Whether repositories that do not exist yet are made private.
        report: Called with a plan and `started`, `unchanged` or `published`.

    Raises:
        ManifestError: The plan is empty.
        HubError: No token, no write rights, a Hub that does not answer, or one changed meanwhile.
    """
    api = _api(token, endpoint)
    if not plans:
        raise ManifestError(f"the run {run} made nothing to publish.", "Add a stage that makes a model or a dataset.")
    _require_write(api, plans[0].id)
    receipts: list[Published] = []
    for plan in plans:
        report(plan, "started")
        receipts.append(_publish_one(api, plan, private=private))
        report(plan, "published" if receipts[-1].files else "unchanged")
        write_atomic(run / RECEIPT_NAME, json.dumps([vars(receipt) for receipt in receipts], indent=2) + "\n")
    return receipts


def require_token(what: str, *, token: str | None = None, endpoint: str | None = None) -> None:
    """Stop where publishing could not even begin.

    Args:
        what: What is to be published, for the message.
        token: As for `publish`.
        endpoint: As for `publish`.

    Raises:
        HubError: There is no token, or the Hub does not take it or does not answer.
    """
    _require_write(_api(token, endpoint), what)


def _api(token: str | None, endpoint: str | None) -> Any:
    from huggingface_hub import HfApi

    from hubadapt import __version__

    return HfApi(endpoint=endpoint, token=token, library_name="hubadapt", library_version=__version__)


def _require_write(api: Any, what: str) -> None:
    from huggingface_hub import get_token

    if api.token is None and get_token() is None:
        raise HubError(
            f"there is no token, and publishing {what} needs one.", "hf auth login, or: export HF_TOKEN=hf_…"
        )
    with explained(what, write=True, endpoint=api.endpoint):
        api.whoami()


def _publish_one(api: Any, plan: RepositoryPlan, *, private: bool) -> Published:
    from huggingface_hub import CommitOperationAdd

    with explained(plan.id, write=True, endpoint=api.endpoint):
        api.create_repo(plan.id, repo_type=plan.type, private=private, exist_ok=True)
        if plan.revision != MAIN:
            api.create_branch(plan.id, repo_type=plan.type, branch=plan.revision, exist_ok=True)
        remote = _snapshot(api, plan)
        uploads = changed(
            plan, remote, {upload.path: _git_blob(upload) for upload in plan.uploads if upload.size < _REGULAR_LIMIT}
        )
        url = f"{api.endpoint}/{'datasets/' if plan.type == 'dataset' else ''}{plan.id}"
        if not uploads:
            return Published(plan.id, plan.type, remote.head, 0, url)
        operations = [
            CommitOperationAdd(upload.path, str(upload.local) if upload.local else upload.text.encode())
            for upload in uploads
        ]
        commit = api.create_commit(
            plan.id,
            operations,
            repo_type=plan.type,
            revision=plan.revision,
            commit_message=plan.message,
            parent_commit=remote.head,
        )
        return Published(plan.id, plan.type, commit.oid, len(uploads), url)


def _snapshot(api: Any, plan: RepositoryPlan) -> Remote:
    info = api.repo_info(plan.id, repo_type=plan.type, revision=plan.revision, files_metadata=True)
    return Remote(
        info.sha,
        {
            file.rfilename: RemoteFile(file.blob_id, file.lfs.sha256 if file.lfs else None)
            for file in info.siblings or ()
        },
    )


def _git_blob(upload: Upload) -> str:
    data = upload.local.read_bytes() if upload.local else upload.text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _local_sources(manifest: Manifest, run: Path) -> dict[str, Source]:
    folders = {name: source_folder(ref, run) for name, ref in manifest.sources().items() if ref.local}
    return {name: (folder, list_files(folder)) for name, folder in folders.items()}


def _terms(manifest: Manifest) -> dict[str, Source]:
    """Licence files of the sources on the Hub, as the run brought them into the Hub's cache; nothing is downloaded."""
    folders = {name: cached_folder(ref) for name, ref in manifest.sources().items() if not ref.local}
    return {
        name: (folder, tuple(file_entry(folder, path) for path in LICENCE_FILES if (folder / path).is_file()))
        for name, folder in folders.items()
        if folder is not None
    }


def _card_errors(plan: RepositoryPlan, manifest: Manifest, artifact: Artifact | None) -> list[UserError]:
    """What is wrong with the cards of one repository, which each error names."""
    files = {upload.path: upload for upload in plan.uploads}
    path = files["config.json"].local if "config.json" in files else None
    config = json.loads(path.read_text(encoding="utf-8")) if path else {}
    errors = card_problems(files["README.md"].text, plan.type, files=files.keys(), config=config)
    named = [CardError(error.problem.replace("the card", f"the card of {plan.id}", 1), error.hint) for error in errors]
    return [*named, *(record_problems(manifest, artifact, config) if artifact else [])]


def _notes(run: Path) -> str:
    path = run / NOTES_NAME
    notes = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line, what in find_secrets(notes):
        raise HubError(
            f"{path} line {line} looks like {what}; notes are printed in the card.", "Take it out, then push again."
        )
    return notes


def write_cards(run: Path, plans: list[RepositoryPlan]) -> list[Path]:
    """Write the cards of every repository of a plan to `cards/` in the run folder, with the pictures that they show."""
    written = []
    for plan in plans:
        cards = {upload.path: upload.text for upload in plan.uploads if upload.path.startswith("README")}
        for path, card in cards.items():
            written.append(run / "cards" / path.replace("README", plan.id.split("/")[-1], 1))
            write_atomic(written[-1], card)
        for upload in plan.uploads:
            if upload.local and f"]({upload.path})" in cards["README.md"]:
                write_atomic(run / "cards" / upload.path, upload.local.read_bytes())
    return written
