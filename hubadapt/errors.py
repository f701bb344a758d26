"""Every error a user can cause: what was found, and what to do about it.

A `UserError` is shown as two lines and ends the program with exit code 1. Anything else is a bug of ours and keeps
its traceback.
"""

from __future__ import annotations


class UserError(Exception):
    """A problem the user can mend: one line that says what was found, one that says what to do.

    Args:
        problem: What was found, with the user's own names and numbers, on one line.
        hint: What to do next, best a command to paste, on one line.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = " ".join(problem.split())
        self.hint = " ".join(hint.split())

    def __str__(self) -> str:
        return f"{self.problem}\n{self.hint}"


class RecipeError(UserError):
    """The recipe cannot be read or names something that does not exist."""


class ModelError(UserError):
    """A model, its tokenizer or its weights cannot be used as asked."""


class CorpusError(UserError):
    """A corpus is missing, empty, not UTF-8, or holds none of the target language."""


class ManifestError(UserError):
    """A manifest or a file that it names is missing or damaged."""


class LicenceError(UserError):
    """A licence is missing, not known, or does not allow what is to be published."""


class CardError(UserError):
    """A card says what its Hub would refuse, or something else than the files beside it."""


class HubError(UserError):
    """A Hub refused, could not be reached, or holds something else than expected."""


class MissingExtraError(UserError):
    """A command needs a package of one of the optional extras.

    Args:
        feature: What was asked for, in the user's words.
        extra: The name of the extra that brings the package.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed.", f"pip install 'hubadapt[{extra}]'")


class SeveralErrors(UserError):
    """Several problems found at once, each with its own two lines.

    Args:
        errors: At least one.
    """

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__(errors[0].problem, errors[0].hint)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_all(errors: list[UserError]) -> None:
    """Raise what was collected: nothing, the one error, or `SeveralErrors`."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)
