"""Everything that can be verified of one published model, from the listing of its files to the last number."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from hubadapt.card.metadata import record_problems
from hubadapt.errors import ModelError, UserError
from hubadapt.manifest import MANIFEST_NAME
from hubadapt.model import load_model, load_tokenizer
from hubadapt.verify.card import card_findings
from hubadapt.verify.case import Case
from hubadapt.verify.density import density_findings
from hubadapt.verify.files import file_findings
from hubadapt.verify.finding import Finding, differs, not_measured, same
from hubadapt.verify.foreign_code import require_no_code
from hubadapt.verify.gates import gate_findings
from hubadapt.verify.numbers import Numbers, measure_again, number_findings
from hubadapt.verify.published import download, require_cache_space
from hubadapt.verify.reading import probes_of, read_elsewhere, read_here, reading_findings
from hubadapt.verify.record import read_record
from hubadapt.verify.source import Source
from hubadapt.verify.texts import fetch_texts
from hubadapt.verify.written import snippet_findings

T = TypeVar("T")
_REPEAT = "of the run itself; `hubadapt run` with the card's recipe repeats it"
_BROKEN = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ImportError, SafetensorError)


def verify_model(case: Case, report: Callable[[str], object] = lambda step: None) -> list[Finding]:
    """Download a published model and measure again what its card and its record claim.

    Args:
        case: As `open_case` gives it.
        report: Called with what is done next.

    Raises:
        HubError: A download failed, the disk was full, or the record is damaged.
        ModelError: The model cannot be loaded, or names code of its own.
    """
    require_cache_space(case.missing)
    report("downloading")
    folder = download(case.published, case.downloads)
    found = [*_record_findings(case), *file_findings(case.published, case.artifact, folder)]
    wanted = case.texts
    texts = _or_reason(lambda: fetch_texts(wanted)) if wanted else "the record names no text"
    with _alone(folder, case.files, case.published.at) as own:
        report("measuring the model")
        found += card_findings(folder, case.record, case.artifact, case.names)
        with _usable(case.published.at):
            found += _model_findings(case, own, texts)
            found += _table_findings(case, own)
        report("trying the gates")
        found += _tokenizer_findings(case, own, texts)
    if isinstance(case.before, Source):
        report("measuring the model before")
    return [*found, *_before_findings(case, texts), not_measured("times, losses and energy", _REPEAT)]


def read_model_elsewhere(case: Case, *, endpoint: str, python: str) -> list[Finding]:
    """Ids and logits as another interpreter reads them from the Hub; nothing for a model that was not measured.

    Args:
        case: As `open_case` gives it.
        endpoint: The Hub.
        python: The interpreter, such as one with another version of transformers.

    Raises:
        HubError: It cannot load the model.
    """
    probe = probes_of(case.record).get(case.artifact.name)
    if probe is None:
        return []
    reading = read_elsewhere(case.published.id, case.published.commit, probe, endpoint=endpoint, python=python)
    return [*reading_findings(probe, reading, f", by {python}")]


def _record_findings(case: Case) -> Iterator[Finding]:
    """Whether the record that lies beside the model is that of the run folder it is verified by."""
    if not case.own:
        return
    if MANIFEST_NAME in case.published.files and read_record(case.published) == case.record:
        yield same(MANIFEST_NAME, "that of the run")
    else:
        yield differs(MANIFEST_NAME, "that of the run", "another", "the run was changed after it was pushed")


def _model_findings(case: Case, folder: Path, texts: Path | str) -> Iterator[Finding]:
    name = case.artifact.name
    model, tokenizer = _load(folder)
    probe = probes_of(case.record).get(name)
    if probe is not None:
        yield from reading_findings(probe, read_here(model, tokenizer, probe))
    yield from number_findings(name, case.record, case.claims, _numbers(case, name, model, tokenizer, texts))
    del model
    yield from snippet_findings(name, case.record, folder, tokenizer)


def _before_findings(case: Case, texts: Path | str) -> Iterator[Finding]:
    name = case.artifact.of
    found: Numbers
    if isinstance(case.before, str):
        found = case.before
    else:
        found = _or_reason(partial(_numbers_before, case, case.before, texts))
    for finding in number_findings(name, case.record, {}, found):
        yield finding.about("before: " + finding.what)


def _numbers_before(case: Case, source: Source, texts: Path | str) -> Numbers:
    folder = download(source.published, source.files)
    at = source.published.at
    with _alone(folder, source.files, at) as view, _usable(at):
        return _numbers(case, case.artifact.of, *_load(view), texts)


def _numbers(case: Case, name: str, model: Any, tokenizer: Any, texts: Path | str) -> Numbers:
    if isinstance(texts, str):
        return texts
    languages = list(dict.fromkeys(metric.language for metric in case.record.metrics() if metric.model == name))
    return measure_again(model, tokenizer, texts, case.record, languages)


def _tokenizer_findings(case: Case, own: Path, texts: Path | str) -> Iterator[Finding]:
    """What there is to find beside the base's tokenizer; where that is not to be had, why."""

    def findings(base: Path | str) -> list[Finding]:
        return [*density_findings(own, case.record, base, texts), *gate_findings(own, case.record, base)]

    if isinstance(case.base, str):
        yield from findings(case.base)
    else:
        found = _or_reason(partial(_beside_base, case.base, findings))
        yield from findings(found) if isinstance(found, str) else found


def _beside_base(source: Source, findings: Callable[[Path], list[Finding]]) -> list[Finding]:
    folder = download(source.published, source.files)
    with _alone(folder, source.files, source.published.at) as view:
        require_no_code(view, source.published.at)
        load_tokenizer(view)
        return findings(view)


def _table_findings(case: Case, folder: Path) -> Iterator[Finding]:
    """What the record tells of the tables, beside the configuration."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    problems = record_problems(case.record, case.artifact, config) if isinstance(config, dict) else []
    for problem in problems:
        yield differs("tables", "the record", "config.json", problem.problem)
    if not problems:
        yield same("tables", "size and ties")


def _load(folder: Path) -> tuple[Any, Any]:
    """A model in float32 and its tokenizer."""
    require_no_code(folder, str(folder))
    return load_model(folder), load_tokenizer(folder)


@contextmanager
def _usable(what: str) -> Iterator[None]:
    """Run what loads and uses a model: whatever transformers raises of files that fit together badly becomes one error.

    Raises:
        ModelError: It cannot be loaded or used.
    """
    try:
        yield
    except _BROKEN as error:
        reason = (str(error).strip().splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"{what} cannot be used: {reason}", "Push the run again.") from error


def _or_reason(call: Callable[[], T]) -> T | str:
    """What a call gives, or why it does not."""
    try:
        return call()
    except UserError as error:
        return error.problem.removesuffix(".")


@contextmanager
def _alone(folder: Path, names: Sequence[str], what: str) -> Iterator[Path]:
    """A folder with these files of another and none else: a cache may hold more, and loaders read what they find.

    Errors name the model in place of that folder.
    """
    with tempfile.TemporaryDirectory() as place:
        view = Path(place)
        for name in names:
            try:
                (view / name).symlink_to((folder / name).resolve())
            except (OSError, NotImplementedError):  # Windows asks for a right to make links.
                shutil.copyfile(folder / name, view / name)
        try:
            yield view
        except UserError as error:
            raise ModelError(error.problem.replace(place, what), error.hint.replace(place, what)) from error
