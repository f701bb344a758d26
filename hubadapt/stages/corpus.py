"""Stage `corpus`: gathers the text to learn from and to measure on, split by document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import regex
from pydantic import Field

from hubadapt.corpus.dataset import split_file
from hubadapt.corpus.documents import Document, read_documents
from hubadapt.corpus.split import is_held_out
from hubadapt.errors import CorpusError, UserError
from hubadapt.manifest import hash_file
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.scripts import letter_pattern, scripts_of


class Source(StageConfig):
    """One file of text."""

    path: Path = Field(description="A .txt, .jsonl or .parquet file, plain or .gz, relative to the recipe")
    language: str = Field(description="ISO 639-1 code of its text")
    license: str | None = Field(None, description="Licence of rows that do not name one")


class Config(StageConfig):
    """Parameters of the corpus stage."""

    sources: tuple[Source, ...] = Field(
        min_length=1, description="Files; only those in the target language are trained on"
    )
    held_out: float = Field(0.05, gt=0, lt=1, description="Share of target-language documents kept for measuring")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Every problem of the sources that shows without a model."""
    characters, readable = 0, True
    for source in config.sources:
        try:
            found = _script_characters(source, outlook)
        except CorpusError as error:
            readable = False
            yield error
            continue
        characters += found if source.language == outlook.language else 0
    if characters == 0 and readable:
        script = " or ".join(scripts_of(outlook.language))
        yield CorpusError(
            f"no source of the corpus holds text in {script} letters for {outlook.language!r}.",
            "Check `path` and `language` under `corpus.sources` in the recipe.",
        )


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of each source file."""
    return {source.path.as_posix(): hash_file(folder / source.path) for source in config.sources}


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Reading and splitting go at some 20 MB a second."""
    size = sum((outlook.recipe_folder / source.path).stat().st_size for source in config.sources)
    return Cost(seconds=1 + size / 20e6, memory=4 * size, disk=size)


@stage("corpus", Config, siblings=False, check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Gather text and split it by document into a training and a held-out part."""
    splits: dict[str, list[dict[str, str]]] = {"train": [], "test": []}
    tally: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    seen: set[str] = set()
    for source in config.sources:
        for document in read_documents(context.recipe_folder / source.path, license=source.license):
            if not document.text.strip() or document.text in seen:
                continue
            seen.add(document.text)
            trained = source.language == context.manifest.language and not is_held_out(document, config.held_out)
            split = "train" if trained else "test"
            splits[split].append(
                {
                    "text": document.text,
                    "language": source.language,
                    "source": document.source,
                    "license": document.license,
                    "id": document.id,
                }
            )
            _count(tally[document.source, source.language, document.license], document, split)
    held_out = [row for row in splits["test"] if row["language"] == context.manifest.language]
    if not splits["train"] or not held_out:
        raise CorpusError(
            f"of the corpus, {len(splits['train'])} documents are left to train on and {len(held_out)} to measure on.",
            "Give it more documents, or another share: `held_out:` of the stage corpus.",
        )
    folder = context.folder / "dataset"
    _write(folder, splits)
    table = [
        {"source": source, "language": language, "license": license, **counts}
        for (source, language, license), counts in sorted(tally.items())
    ]
    return StageResult(made=(Made("corpus", "dataset", folder),), facts={"sources": table})


def _script_characters(source: Source, outlook: Outlook) -> int:
    letters: regex.Pattern[str] = letter_pattern(scripts_of(outlook.language))
    empty, found = True, 0
    for document in read_documents(outlook.recipe_folder / source.path, license=source.license):
        empty = empty and not document.text.strip()
        found += len(letters.findall(document.text))
    if empty:
        raise CorpusError(f"the corpus {source.path} is empty.", "Check `path` under `corpus.sources` in the recipe.")
    return found


def _count(counts: Counter[str], document: Document, split: str) -> None:
    counts.update(
        {
            f"{split}_documents": 1,
            f"{split}_characters": len(document.text),
            f"{split}_bytes": len(document.text.encode()),
        }
    )


def _write(folder: Path, splits: Mapping[str, list[dict[str, str]]]) -> None:
    import pyarrow
    import pyarrow.parquet

    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        # The schema is given, since an empty split has no values to guess it from.
        schema = pyarrow.schema([(name, pyarrow.string()) for name in ("text", "language", "source", "license", "id")])
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), split_file(folder, split))
