"""Stage `corpus`: gathers the text to learn from and to measure on, split by document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import regex
from pydantic import Field, model_validator

from hubadapt.corpus.dataset import DatasetWriter
from hubadapt.corpus.documents import Document, read_documents
from hubadapt.corpus.files import corpus_files, file_hashes
from hubadapt.corpus.hub_dataset import HubDataset, pin_dataset, stream_documents
from hubadapt.corpus.split import held_out_by, text_hash
from hubadapt.errors import CorpusError, UserError
from hubadapt.hub_lists import hub_lists, near_language
from hubadapt.licences import Text
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.scripts import letter_pattern, scripts_of

# So much of a Hub dataset is read to check it; files are read to their end.
_HUB_SAMPLE = 100
# Rows that name more origins than this are counted together: a table of every page's address shows nothing.
_ORIGINS = 1000


class Source(StageConfig):
    """Text of one language: a file, a folder of files, or a dataset on the Hub."""

    path: Path | None = Field(
        None, description="A .txt, .jsonl or .parquet file, plain or compressed, or a folder of them"
    )
    hub: str | None = Field(
        None,
        pattern=r"^\w[\w.-]*/\w[\w.-]*(@[^@\s]+)?$",
        description="Instead: a dataset, owner/name or owner/name@revision",
    )
    config: str | None = Field(None, description="Configuration of the Hub dataset, where it has several")
    split: str | None = Field(None, description="Split of the Hub dataset; without it, `train`")
    column: str = Field("text", min_length=1, description="Column that holds the text")
    language: str = Field(description="ISO 639-1 code of its text")
    license: str | None = Field(None, description="Licence of rows that do not name one")
    weight: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="How many times its text counts, where stages weigh it"
    )
    max_documents: int | None = Field(None, gt=0, description="Documents taken at the most, from the beginning")

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a source has either `path` or `hub`")
        if self.hub is None and (self.config or self.split):
            raise ValueError("`config` and `split` belong to a source with `hub`")
        return self

    @property
    def name(self) -> str:
        """What it is called, as the recipe says."""
        return self.path.as_posix() if self.path else f"hub:{self.hub}"


class Config(StageConfig):
    """Parameters of the corpus stage."""

    sources: tuple[Source, ...] = Field(
        min_length=1,
        description="Each with `path` (file or folder) or `hub` (dataset; `config`, `split`), `language`, and perhaps "
        "`license`, `column`, `weight`, `max_documents`; only those in the target language are trained on",
    )
    also_split: tuple[str, ...] = Field(
        (), description="Other languages to learn from as well, as the tokenizer's `replace` does; else all is held out"
    )
    held_out: float = Field(0.05, gt=0, lt=1, description="Share of the documents to learn from kept for measuring")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Every problem of the sources that shows without a model; of a Hub dataset, of its first documents."""
    scripts = scripts_of(outlook.language)
    found, readable = False, True
    for source in config.sources:
        if source.language not in hub_lists().languages:
            yield CorpusError(
                f"the corpus {source.name} is in {source.language!r}, which is no language code of the Hub.",
                f"Did you mean {near_language(source.language) or outlook.language!r}?",
            )
        try:
            hopeful = _has_letters(source, outlook, letter_pattern(scripts))
        except UserError as error:
            readable = False
            yield error
            continue
        found = found or (hopeful and source.language == outlook.language)
    if readable and not found:
        yield CorpusError(
            f"no source of the corpus holds text in {' or '.join(scripts)} letters for {outlook.language!r}.",
            "Check `path` and `language` under `corpus.sources` in the recipe.",
        )


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of each source file, and the pinned commit of each Hub dataset."""
    found = {f"hub:{source.hub}": pin_dataset(source.hub).revision for source in config.sources if source.hub}
    found |= file_hashes([source.path for source in config.sources if source.path], folder)
    return found


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Files are read three times (checked, hashed, split), at some 30 MB a second; a Hub at 10 MB a second."""
    local = sum(_size(source, outlook.recipe_folder) for source in config.sources if source.path)
    remote = sum(_size(source, outlook.recipe_folder) for source in config.sources if source.hub)
    # Of each document 16 bytes of a hash are kept, in a set.
    memory = 400_000_000 + (local + remote) // 2000 * 120
    return Cost(seconds=1 + local / 30e6 + remote / 10e6, memory=memory, disk=local + remote)


@stage("corpus", Config, siblings=False, check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Gather text and split it by document into a training and a held-out part."""
    folder = context.folder / "dataset"
    with DatasetWriter(folder) as writer:
        gathering = _Gathering(writer, (context.manifest.language, *config.also_split), config.held_out)
        for source in config.sources:
            gathering.take(source, _documents(source, context))
        gathering.require_both()
    return StageResult(made=(Made("corpus", "dataset", folder),), facts=gathering.facts(context.inputs))


class _Gathering:
    """Documents on their way into the dataset: each text once, in its split, and counted."""

    def __init__(self, writer: DatasetWriter, split: Collection[str], held_out: float) -> None:
        self._writer, self._split, self._held_out = writer, split, held_out
        self._seen: set[bytes] = set()
        self._tally: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self._read: list[tuple[Source, Counter[str]]] = []

    def take(self, source: Source, documents: Iterator[Document]) -> None:
        """Write one source's documents, but for blank ones and those whose text was there before."""
        self._read.append((source, Counter(train_documents=0, test_documents=0)))
        for document in documents:
            digest = text_hash(document.text)
            if digest[:16] in self._seen or not document.text.strip():
                continue
            self._seen.add(digest[:16])
            trained = source.language in self._split and not held_out_by(digest, self._held_out)
            self._add("train" if trained else "test", document, source)
        self._writer.end_source(source.weight)

    def require_both(self) -> None:
        """Stop where in a language that is split nothing is left to train on, or nothing to measure on."""
        for language in dict.fromkeys(self._split):
            counts: Counter[str] = Counter()
            for source, read in self._read:
                counts.update(read if source.language == language else {})
            trained, held_out = counts["train_documents"], counts["test_documents"]
            if not trained or not held_out:
                raise CorpusError(
                    f"the {language!r} corpus leaves {trained} documents to train on and {held_out} to measure on.",
                    "Give it more documents, or another share: `held_out:` of the stage corpus.",
                )

    def facts(self, revisions: Mapping[str, str]) -> dict[str, Any]:
        """Counts by what the rows name as their source, and by source of the recipe with its weight."""
        table = [
            {"source": source, "language": language, "license": license, **counts}
            for (source, language, license), counts in sorted(self._tally.items())
        ]
        read = [
            {"source": source.name, "language": source.language, "weight": source.weight, **counts}
            | ({"revision": revisions[source.name]} if source.hub else {})
            for source, counts in self._read
        ]
        return {"sources": table, "read": read}

    def _add(self, split: str, document: Document, source: Source) -> None:
        self._writer.add(
            split,
            {
                "text": document.text,
                "language": source.language,
                "source": document.source,
                "license": document.license,
                "id": document.id,
            },
        )
        self._read[-1][1][f"{split}_documents"] += 1
        origin = (document.source, source.language, document.license)
        if origin not in self._tally and len(self._tally) >= _ORIGINS:
            origin = (source.name, source.language, document.license)
        counts = self._tally[origin]
        counts[f"{split}_documents"] += 1
        counts[f"{split}_characters"] += len(document.text)
        counts[f"{split}_bytes"] += len(document.text.encode())


def _documents(source: Source, context: StageContext) -> Iterator[Document]:
    """A source's documents, with a bar: over bytes of files, or over documents of a Hub dataset."""
    if source.hub:
        with context.progress(f"reading {source.hub}", source.max_documents or 0) as advance:
            for document in _from_hub(source, context.inputs[source.name]):
                yield document
                advance(1)
    else:
        size = _size(source, context.recipe_folder)
        with context.progress(f"reading {source.name}", size) as advance:
            yield from _from_files(source, context.recipe_folder, advance)


def _from_hub(source: Source, revision: str) -> Iterator[Document]:
    id = str(source.hub).partition("@")[0]
    dataset = HubDataset(id, revision, source.config, source.split or "train")
    documents = stream_documents(dataset, license=source.license, column=source.column)
    return islice(documents, source.max_documents)


def _from_files(source: Source, folder: Path, advance: Callable[[int], object]) -> Iterator[Document]:
    path = folder / str(source.path)
    documents = read_documents(path, license=source.license, column=source.column, advance=advance)
    return islice(documents, source.max_documents)


def _size(source: Source, folder: Path) -> int:
    """Bytes on disk or on the Hub."""
    if source.hub:
        # 4 kB a document is a guess, and keeps a few of a huge dataset from counting as all.
        return min(pin_dataset(source.hub).size, 4000 * (source.max_documents or 2**50))
    return sum(file.stat().st_size for file in corpus_files(folder / str(source.path)))


def _has_letters(source: Source, outlook: Outlook, letters: regex.Pattern[str]) -> bool:
    """Whether such letters were found, or the part of a Hub dataset that was read does not tell; licences are noted."""
    documents: Iterator[Document]
    if source.hub:
        documents = islice(_from_hub(source, pin_dataset(source.hub).revision), _HUB_SAMPLE)
    else:
        documents = _from_files(source, outlook.recipe_folder, lambda count: None)
    trained = source.language == outlook.language
    empty, found, read = True, False, 0
    for document in documents:
        read += 1
        empty = empty and not document.text.strip()
        found = found or letters.search(document.text) is not None
        origin = document.source if len(outlook.texts) < _ORIGINS else source.name
        outlook.texts.add(Text(origin, document.license, trained))
    if empty:
        raise CorpusError(
            f"the corpus {source.name} is empty.", "Check `path` or `hub` under `corpus.sources` in the recipe."
        )
    return found or (source.hub is not None and read == _HUB_SAMPLE)
