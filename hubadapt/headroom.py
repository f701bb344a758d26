"""What new tokens could gain a language, measured before anything is trained: `hubadapt measure`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hubadapt.corpus.sample import Sample, passages, read_sample, read_texts
from hubadapt.errors import CorpusError, ModelError, UserError
from hubadapt.loading import open_tokenizer
from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.build import learn, unchanged, usual_occurrences
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import all_entries, require_family
from hubadapt.tokenizer.gates.probes import PROTECTED
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.measure import density_of
from hubadapt.tokenizer.protect import Protected
from hubadapt.tokenizer.report import LanguageReport, Learnt, Report, Table
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import scripts_of, shares_english_script
from hubadapt.tokenizer.sources import read_source
from hubadapt.tokenizer.sweep import MULTIPLE, knee, sweep_sizes
from hubadapt.types import Progress, silent

SIZES = tuple(2**power for power in range(8, 16))
"""Numbers of new tokens that are measured by default, as far as the text gives them."""

LARGEST = 2**20
"""The largest number of new tokens that can be asked for."""

_LATIN = ("Latin",)


@dataclass(frozen=True)
class _Setting:
    """What all languages have in common."""

    content: dict[str, Any]
    table: Table
    sizes: Sequence[int]
    min_occurrences: int | None
    english: Sequence[str]
    progress: Progress


def measure_tokenizer(
    tokenizer: str,
    texts: Mapping[str, Sequence[Path]],
    *,
    corpora: Mapping[str, Sequence[Path]] | None = None,
    sizes: Sequence[int] = (),
    min_occurrences: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Measure how densely a tokenizer writes some languages, and what new tokens would gain.

    English (`en`) is measured to compare with, and is what new tokens of other languages in the Latin script must leave
    as it is; it gets no sweep.

    Args:
        tokenizer: A folder, a file such as `tokenizer.json`, or a Hub id.
        texts: Language code → files of text to measure on.
        corpora: Language code → files to learn new tokens from; without them nine tenths of the texts' documents are
            learnt from, and the rest is measured on.
        sizes: Numbers of new tokens; by default `SIZES` as far as the text gives them.
        min_occurrences: A pair rarer than this is not merged; by default as in the stage `tokenizer`.
        progress: Opens progress bars.

    Raises:
        ModelError: The tokenizer is missing, damaged or of a family that cannot be extended.
        HubError: It cannot be downloaded.
        CorpusError: A file is missing, damaged, empty, of another script, or too small for the sizes asked.
        UserError: A size is not in 1 … 2²⁰, or a language is unknown.
    """
    corpora = corpora or {}
    _require_sizes(sizes)
    _require_texts(texts, corpora)
    scripts = {language: _scripts(language) for language in (*texts, *corpora)}
    content, table = read_tokenizer(tokenizer)
    family = require_family(content, tokenizer)
    samples = [
        read_sample(language, scripts[language], paths, corpora.get(language, ()), split=language != "en")
        for language, paths in texts.items()
    ]
    setting = _Setting(content, table, sizes, min_occurrences, _english(samples, corpora.get("en", ())), progress)
    languages = tuple(_measure(sample, setting) for sample in samples)
    return Report(tokenizer, family, len(all_entries(content)), table, languages)


def read_tokenizer(name: str) -> tuple[dict[str, Any], Table]:
    """A tokenizer's content and, where a `config.json` lies beside it, what the model's table is like.

    Args:
        name: A folder, a file that `hubadapt.tokenizer.sources.read_source` takes, or a Hub id.

    Raises:
        ModelError: It is missing or damaged, or the configuration is.
        HubError: It cannot be downloaded.
    """
    path = _path(name)
    content = read_source(path)
    open_tokenizer(content, name)
    entries = all_entries(content)
    if not entries:
        raise ModelError(f"the tokenizer {name} has no entries.", "Download or copy the tokenizer again.")
    rows = max(entries.values()) + 1
    folder = path if path.is_dir() else path.parent
    if not (folder / "config.json").is_file():
        return content, Table(rows)
    from hubadapt.checkpoint import load_config

    config = load_config(folder).get_text_config()
    return content, Table(max(rows, config.vocab_size), config.hidden_size, bool(config.tie_word_embeddings))


def _path(name: str) -> Path:
    path = Path(name).expanduser()
    if path.exists():
        return path
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(
            f"the tokenizer {name} does not exist.",
            "Name a folder, a tokenizer.json or a Hub id such as HuggingFaceTB/SmolLM2-135M.",
        )
    from hubadapt.hub.fetch import local_folder, resolve

    return local_folder(resolve(name, Path()).ref, Path(), weights=False)


def _require_sizes(sizes: Sequence[int]) -> None:
    for size in sizes:
        if not 0 < size <= LARGEST:
            raise UserError(
                f"{size} is no number of new tokens.", f"Sizes go from 1 to {LARGEST:,}, such as 1024,4096,16384."
            )


def _require_texts(texts: Collection[str], corpora: Collection[str]) -> None:
    for language in corpora:
        if language not in texts and language != "en":
            raise UserError(
                f"there is text to learn {language!r} from, but none to measure it on.", f"Add --text FILE:{language}"
            )


def _scripts(language: str) -> tuple[str, ...]:
    return _LATIN if language == "en" else scripts_of(language)


def _english(samples: Sequence[Sample], corpora: Sequence[Path]) -> list[str]:
    """English text that new tokens of other languages in the Latin script must leave as it is."""
    measured = [text for sample in samples if sample.language == "en" for text in sample.measured]
    return measured + passages(list(read_texts("en", _LATIN, corpora)))


def _measure(sample: Sample, setting: _Setting) -> LanguageReport:
    density = density_of(setting.content, sample.measured, sample.scripts)
    if sample.language == "en":
        return LanguageReport(sample.language, density)
    additions, learnt = _learn(sample, setting)
    sizes = _sizes(sample, setting, additions, learnt)
    if not sizes:
        return LanguageReport(sample.language, density)
    measure = partial(sweep_sizes, setting.content, additions, sample.measured, old_rows=setting.table.rows)
    with setting.progress(f"measuring {sample.language}", len(sizes) + 1) as advance:
        sweep = measure(sizes, advance=advance)
    best = knee(sweep)
    if best and best not in sizes:
        sweep = sweep.joined(measure([best]))
    return LanguageReport(sample.language, density, sweep, best, learnt)


def _learn(sample: Sample, setting: _Setting) -> tuple[Additions, Learnt]:
    """What a run that asks for the largest size would add."""
    content, scripts = setting.content, sample.scripts
    dialect, rules = dialect_of(content, scripts), Rules(scripts)
    characters = sum(map(len, sample.learnt))
    with setting.progress(f"counting words of {sample.language}", characters) as advance:
        words = count_words(sample.learnt, dialect, scripts, advance)
    shared = shares_english_script(scripts)
    english = setting.english if shared else ()
    protected = Protected.of_texts(english, dialect, scripts, never=PROTECTED if english else ())
    occurrences = setting.min_occurrences or usual_occurrences(words)
    lesson = Lesson(max(setting.sizes or SIZES), occurrences, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    learnt = Learnt(len(sample.learnt), characters, occurrences, unprotected=shared and not english)
    if not words:
        return Additions(), learnt
    return learn(unchanged(content, setting.table.rows), words, lesson, protected=protected), learnt


def _sizes(sample: Sample, setting: _Setting, additions: Additions, learnt: Learnt) -> list[int]:
    """The sizes asked for, all of which must be there; or those of `SIZES` that are, and all there is."""
    given, asked = additions.count(all_entries(setting.content)), setting.sizes
    if not asked:
        whole = given - (setting.table.rows + given) % MULTIPLE
        return sorted({size for size in (*SIZES, whole) if 0 < size <= given})
    if max(asked) > given:
        raise CorpusError(
            f"the text to learn {sample.language!r} from, {learnt.characters:,} characters, gives {given:,} new tokens "
            f"of the {max(asked):,} asked, at {learnt.min_occurrences} occurrences or more.",
            "Give it more text with --corpus, lower --min-occurrences, or name smaller --sizes.",
        )
    return sorted({*asked})
