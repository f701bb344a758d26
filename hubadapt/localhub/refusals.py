"""The one exception by which any part of the Hub refuses a request."""

from __future__ import annotations


class Refusal(Exception):
    """A request is refused; the web layer turns this into a JSON reply.

    Args:
        status: HTTP status code.
        message: What was wrong, for a human.
        code: The `X-Error-Code` that Hub clients turn into exception classes, such as `EntryNotFound`.
        headers: Further reply headers.
        body: Further keys of the JSON body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        body: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}
        self.body = body or {}


def missing_repository(full_name: str) -> Refusal:
    """The refusal for a repository that is absent, or private and hidden from this visitor: the two look the same."""
    return Refusal(404, f"Repository not found: {full_name}", "RepoNotFound")


def missing_revision(revision: str) -> Refusal:
    """The refusal for a branch, tag or commit that does not exist."""
    return Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def missing_entry(path: str, commit: str) -> Refusal:
    """The refusal for a path that a commit lacks.

    It names the commit, since clients remember the absence per commit and would otherwise ask again at every load.
    """
    return Refusal(404, f'Entry not found: "{path}"', "EntryNotFound", {"X-Repo-Commit": commit})
