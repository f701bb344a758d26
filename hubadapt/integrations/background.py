"""Work on checkpoints while training goes on: files put aside, one thread, failures told at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hubadapt.errors import UserError


class Background:
    """One thread that does jobs in order.

    Args:
        name: What its thread is called.
    """

    def __init__(self, name: str) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._jobs: dict[str, Future[None]] = {}

    def submit(self, job: str, work: Callable[..., None], *arguments: Any) -> None:
        """Queue a job under a name."""
        self._jobs[job] = self._worker.submit(work, *arguments)

    def finish(self, failure: str) -> None:
        """Wait for all jobs.

        Args:
            failure: What happened to those that failed, such as `checkpoints were not published`.

        Raises:
            UserError: Some failed; the first is named. What is no user's error is raised as it is.
        """
        self._worker.shutdown(wait=True)
        failed = {job: error for job, future in self._jobs.items() if (error := future.exception())}
        for job, error in failed.items():
            if not isinstance(error, UserError):
                raise error
            problem = f"{len(failed)} of {len(self._jobs)} {failure}, the first {job}: {error.problem}"
            plain = type(error).__init__ is UserError.__init__
            raise (type(error) if plain else UserError)(problem, error.hint) from error


def linked(source: Path, target: Path) -> Path:
    """A folder of hard links to another's files, which stay when that is deleted."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=os.link)
    return target
