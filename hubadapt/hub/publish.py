"""Carries a push out: looks at everything first, then one repository after the other, one atomic commit each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as with_changes
from functools import partial
from typing import Any

from hubadapt.errors import HubError, ManifestError, UserError, raise_all
from hubadapt.hub.changes import Standing, changed, git_blob, removed, standing
from hubadapt.hub.client import hub_api
from hubadapt.hub.collection import find_or_make, find_slug, gather
from hubadapt.hub.commit import make, read_text, require_write, send, snapshot
from hubadapt.hub.conflicts import conflicts
from hubadapt.hub.draft import NOTES_NAME, Draft
from hubadapt.hub.plan import Remote, RepositoryPlan, Upload
from hubadapt.hub.receipt import Entry, SentFile, read_receipt

Report = Callable[[str, str], None]
"""Called with an address and what happens to it: `started`, `unchanged`, `published`, or why it was left out."""

_AT_ONCE = 8
_PAYMENT_REQUIRED = 402


@dataclass(frozen=True)
class Published:
    """What one branch of a repository, or the collection, got.

    Attributes:
        id: Hub id; with `@branch` where that is not `main`.
        type: Model, dataset, Space or collection.
        commit: The commit that holds what the run publishes; empty for a collection.
        files: How many files, or items of a collection, changed; 0 means that nothing was sent.
        size: Bytes of the files that changed and that the Hub did not hold: where it stores by blocks, it may have
            taken less.
        url: Its page.
        left_out: Why it was not published; empty where it was.
    """

    id: str
    type: str
    commit: str
    files: int
    size: int
    url: str
    left_out: str = ""


def publish(
    draft: Draft,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    private: bool = False,
    replace: Collection[str] = (),
    report: Report = lambda address, event: None,
) -> list[Published]:
    """Publish a run; what the Hub holds already gets no commit, and an interrupted push is continued.

    Every repository is looked at before the first is changed. The receipt in the run folder tells what was published
    last: where files of ours were changed on the Hub since, nothing is written anywhere.

    Args:
        draft: What to publish.
        token: Hub token; by default the one huggingface_hub finds.
        endpoint: The Hub; by default the one of `HF_ENDPOINT`.
        private: Whether repositories that do not exist yet are made private.
        replace: Commits, seven or more hex digits of each, whose changes to our files are given up.
        report: Told of every step.

    Raises:
        ManifestError: The run made nothing to publish, or its files or its receipt changed.
        HubError: No token, no write rights, a Hub that does not answer, a repository that is not ours, or files of
            ours that were changed on the Hub.
    """
    push = _Push(hub_api(token, endpoint), draft, private=private, report=report)
    push.look(replace)
    return push.carry_out()


def publish_branch(
    plan: RepositoryPlan, *, token: str | None = None, endpoint: str | None = None, private: bool = False
) -> None:
    """Publish one branch of a repository that the caller names and owns, such as a trainer's checkpoint.

    Args:
        plan: What it shall hold.
        token: As for `publish`.
        endpoint: As for `publish`.
        private: As for `publish`.

    Raises:
        HubError: No token, no write rights, a Hub that does not answer, or one changed meanwhile.
    """
    api = hub_api(token, endpoint)
    require_write(api, plan.id)
    remote = snapshot(api, plan)
    remote = remote if remote.head else make(api, plan, private=private)
    uploads = changed(plan, remote, None, words={}, blob_of=git_blob)
    if uploads:
        send(api, plan, remote, uploads, ())


class _Push:
    """One push: what is known of the Hub, and what was done.

    Args:
        api: The Hub's client.
        draft: What to publish.
        private: Whether new repositories are made private.
        report: Told of every step.
    """

    def __init__(self, api: Any, draft: Draft, *, private: bool, report: Report) -> None:
        self._api, self._draft, self._private, self._report = api, draft, private, report
        self._receipt = read_receipt(draft.run)
        self._remotes: dict[tuple[str, str], Remote] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._commits: dict[str, str] = {}
        self._plans = draft.plans
        self._slug = ""
        self._collection: Any = None

    def look(self, replace: Collection[str]) -> None:
        """Read what the Hub holds, and stop where it is not what was published last."""
        plans = self._draft.plans
        if not plans:
            raise ManifestError(
                f"the run {self._draft.run} made nothing to publish.", "Add a stage that makes a model or a dataset."
            )
        require_write(self._api, plans[0].id)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            remotes = list(pool.map(partial(snapshot, self._api), plans))
        self._remotes = {_key(plan): remote for plan, remote in zip(plans, remotes, strict=True)}
        self._commits = {plan.name: self._commit_of(plan) for plan in plans}
        self._slug = self._known_slug(plans[-1])
        self._plan_again()
        self._standings = {_key(plan): self._standing(plan) for plan in self._plans}
        raise_all([error for plan in plans for error in self._conflicts(plan, replace)])

    def carry_out(self) -> list[Published]:
        """Make the commits, in order; every one is in the receipt before the next begins."""
        done: list[Published] = []
        for number in range(len(self._plans)):
            if self._plans[number].type == "space":
                done.append(self._gather(self._plans[:number]))
            plan = self._plans[number]
            done.append(self._publish(plan))
            if self._commits[plan.name] != done[-1].commit:
                # Cards name the commits of what their models were made from.
                self._commits[plan.name] = done[-1].commit
                self._plan_again()
        if self._plans[-1].type == "space" and not done[-1].left_out:
            done[-2] = with_changes(done[-2], files=done[-2].files + self._gather(self._plans).files)
        return done

    def _plan_again(self) -> None:
        self._plans = self._draft.plans_after(self._commits, self._slug)

    def _commit_of(self, plan: RepositoryPlan) -> str:
        remote, last = self._remotes[_key(plan)], self._last(plan)
        return (last.commit if last else "") or remote.head if remote.head else ""

    def _known_slug(self, last: RepositoryPlan) -> str:
        """Slug of the collection, which the Space's card names where it was published."""
        gathered = self._receipt.find(self._collection_entry(f"{self._draft.names.namespace}/"))
        if gathered is None and last.type == "space" and self._remotes[_key(last)].head:
            return find_slug(self._api, self._draft.collection)
        return gathered.id if gathered else ""

    def _standing(self, plan: RepositoryPlan) -> Standing:
        remote = self._remotes[_key(plan)]
        return standing(plan, remote, self._last(plan), read=read_text(self._api, plan, remote.head), blob_of=git_blob)

    def _conflicts(self, plan: RepositoryPlan, replace: Collection[str]) -> list[UserError]:
        found, head = self._standings[_key(plan)], self._remotes[_key(plan)].head
        return conflicts(plan, found, head, notes=self._draft.run / NOTES_NAME, replace=replace)

    def _publish(self, plan: RepositoryPlan) -> Published:
        self._report(plan.address, "started")
        remote, last, url = self._remotes[_key(plan)], self._last(plan), f"{self._api.endpoint}{plan.page}"
        reason = self._left_out(plan) if plan.type == "space" else ""
        if not reason and not remote.head:
            remote, reason = self._make(plan)
        if reason:
            self._report(plan.address, f"left out: {reason}")
            return Published(plan.address, plan.type, "", 0, 0, url, reason)
        words = self._standings[_key(plan)].words
        uploads = changed(plan, remote, last, words=words, blob_of=git_blob)
        gone = removed(plan, remote, last)
        if not uploads and not gone:
            commit = (last.commit if last else "") or remote.head
            self._note(plan, commit, remote)
            self._report(plan.address, "unchanged")
            return Published(plan.address, plan.type, commit, 0, 0, url)
        size = self._new_bytes(uploads)
        commit = send(self._api, plan, remote, uploads, gone)
        self._remotes[_key(plan)] = snapshot(self._api, plan, commit)
        self._note(plan, commit, self._remotes[_key(plan)])
        self._report(plan.address, "published")
        return Published(plan.address, plan.type, commit, len(uploads) + len(gone), size, url)

    def _left_out(self, plan: RepositoryPlan) -> str:
        """Why a Space would not work: it reads models without a token."""
        hidden = any(remote.private for (kind, _), remote in self._remotes.items() if kind == "model")
        return "its models are private, and a Space is given no token" if self._private or hidden else ""

    def _make(self, plan: RepositoryPlan) -> tuple[Remote, str]:
        from huggingface_hub.errors import HfHubHTTPError

        try:
            remote = make(self._api, plan, private=self._private)
        except HubError as error:
            cause = error.__cause__
            status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else 0
            if plan.type == "space" and status == _PAYMENT_REQUIRED:
                return Remote(), "the Hub makes Spaces for paying accounts alone; `hubadapt compare` shows the same"
            raise
        self._receipt = self._receipt.with_entry(self._entry(plan))
        return remote, ""

    def _note(self, plan: RepositoryPlan, commit: str, remote: Remote) -> None:
        files = {
            upload.path: SentFile(there=remote.files[upload.path].content, sha256=upload.sha256)
            for upload in plan.uploads
        }
        words = dict(self._standings[_key(plan)].words)
        entry = self._entry(plan).model_copy(update={"commit": commit, "files": files, "words": words})
        self._receipt = self._receipt.with_entry(entry)

    def _new_bytes(self, uploads: Collection[Upload]) -> int:
        held = {file.sha256 for remote in self._remotes.values() for file in remote.files.values()}
        return sum(upload.size for upload in uploads if upload.sha256 not in held)

    def _gather(self, plans: list[RepositoryPlan]) -> Published:
        """Make the collection, and put into it what is published so far."""
        wanted = self._draft.collection
        there = {(plan.type, plan.id) for plan in plans}
        if self._collection is None:
            self._collection = find_or_make(self._api, wanted, self._slug, private=self._private)
        items = [item for item in wanted.items if (item.type, item.id) in there]
        self._collection, added = gather(self._api, wanted, self._collection, items)
        if self._slug != self._collection.slug:
            self._slug = self._collection.slug
            self._plan_again()
        self._receipt = self._receipt.with_entry(self._collection_entry(self._slug))
        if added or len(plans) < len(self._plans):
            self._report(self._slug, "published" if added else "unchanged")
        return Published(self._slug, "collection", "", added, 0, f"{self._api.endpoint}/collections/{self._slug}")

    def _last(self, plan: RepositoryPlan) -> Entry | None:
        return self._receipt.find(self._entry(plan))

    def _entry(self, plan: RepositoryPlan) -> Entry:
        return Entry(endpoint=self._api.endpoint, type=plan.type, id=plan.id, revision=plan.revision, name=plan.name)

    def _collection_entry(self, slug: str) -> Entry:
        return Entry(endpoint=self._api.endpoint, type="collection", id=slug, name=self._draft.manifest.name)


def _key(plan: RepositoryPlan) -> tuple[str, str]:
    return plan.type, plan.address
