"""What there is to verify: a published model with its record, its card, its texts and what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hubadapt.card.words import ENGLISH, card_languages, card_name
from hubadapt.errors import CardError, ManifestError, UserError
from hubadapt.hub.checksums import CHECKSUMS
from hubadapt.lineage import Layout, Names
from hubadapt.manifest import read_manifest
from hubadapt.types import Artifact, Manifest
from hubadapt.verify.card import Claims, read_claims
from hubadapt.verify.published import Published, download, find_published, missing_bytes
from hubadapt.verify.record import files_to_load, read_record, which_model
from hubadapt.verify.source import Source, find_source
from hubadapt.verify.texts import Texts, texts_of

_LARGEST_CARD = 4_000_000
_CARDS = tuple(card_name(language) for language in (ENGLISH, *card_languages()))
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Case:
    """A published model, and what is looked at to verify it.

    Attributes:
        published: The repository.
        record: The run that it is a model of.
        artifact: The record's entry of it.
        names: What things are called on the Hub.
        claims: What the card's metadata tell.
        files: What the model is loaded from.
        texts: The texts that it was measured on; None where the record names none.
        before: The model before the adaptation, or why it is not looked at.
        base: The base, whose tokenizer gates are tried beside, or why it is not looked at.
        own: Whether the record is that of a run folder, and not the one that lies beside the model.
    """

    published: Published
    record: Manifest
    artifact: Artifact
    names: Names
    claims: Claims
    files: Sequence[str]
    texts: Texts | None
    before: Source | str
    base: Source | str
    own: bool = False

    @property
    def downloads(self) -> list[str]:
        """What is downloaded of the repository itself."""
        return [*self.files, *_cards(self.published), *(name for name in (CHECKSUMS,) if name in self.published.files)]

    @property
    def size(self) -> int:
        """Bytes of all that is downloaded, whether it is in the cache already or not."""
        return sum(found.files[name].size for found, names in self._parts for name in names) + self._text_size

    @property
    def missing(self) -> int:
        """Bytes of that which are not in the cache yet; texts count in full."""
        return sum(missing_bytes(found, names) for found, names in self._parts) + self._text_size

    @property
    def _text_size(self) -> int:
        return self.texts.file.size if self.texts else 0

    @property
    def _parts(self) -> list[tuple[Published, Sequence[str]]]:
        """What is downloaded, each repository once: the base may be the model before."""
        sources = [source for source in (self.base, self.before) if isinstance(source, Source)]
        parts = {source.published.id: (source.published, source.files) for source in sources}
        return [(self.published, self.downloads), *parts.values()]


def open_case(text: str, *, own: Manifest | None = None, names: Names | None = None, before: bool = True) -> Case:
    """Look a published model up and read its record and its card; no weights are downloaded yet.

    Args:
        text: `owner/name` or `owner/name@revision`.
        own: The run it should be of; by default the one whose record lies beside it.
        names: What things are called on the Hub; by default as its owner calls them, in either layout.
        before: Whether the model before the adaptation is looked at too.

    Raises:
        HubError: It does not exist, is gated or private, or holds no record, or one that does not know it.
        ModelError: It holds no safetensors weights.
        CardError: It has no card, or one that cannot be read.
    """
    published = find_published(text)
    record = own or read_record(published)
    owner = published.id.split("/")[0]
    layouts = [names] if names else [Names(record, owner, layout=layout) for layout in get_args(Layout)]
    artifact, names = which_model(record, published, layouts)
    files, card = files_to_load(published, artifact), _read_card(published)
    claims, told = read_claims(card, published.at)
    source = _source(record, artifact.of, names, weights=True) if before else "left out, as asked"
    return Case(
        published, record, artifact, names, claims, files,
        texts=texts_of(record, names, told),
        before=source,
        base=source if artifact.of == "base" and before else _base(record, artifact, names),
        own=own is not None,
    )  # fmt: skip


def cases_of_run(run: Path, namespace: str, layout: Layout = "repositories", *, before: bool = True) -> Iterator[Case]:
    """All models that were published of a run, each as `open_case` gives it, verified by the run's own record.

    Args:
        run: The run folder.
        namespace: User or organisation they were published under.
        layout: How they are laid out there.
        before: As for `open_case`.

    Raises:
        ManifestError: The folder holds no run, or one that made no model.
        UserError: As for `open_case`.
    """
    manifest = read_manifest(run)
    names = Names(manifest, namespace, layout)
    models = [artifact for artifact in manifest.artifacts() if artifact.kind == "model"]
    if not models:
        raise ManifestError(f"the run {run} made no model.", "Add a stage that makes one, such as `- embed`.")
    for artifact in models:
        yield open_case(names.address(artifact.name), own=manifest, names=names, before=before)


def _read_card(published: Published) -> str:
    if _CARDS[0] not in _cards(published):
        raise CardError(f"{published.at} has no card, README.md, of a size that can be read.", "Push the run again.")
    return (download(published, _cards(published)) / _CARDS[0]).read_text(encoding="utf-8", errors="replace")


def _cards(published: Published) -> list[str]:
    return [name for name in _CARDS if name in published.files and published.files[name].size <= _LARGEST_CARD]


def _base(record: Manifest, artifact: Artifact, names: Names) -> Source | str:
    """The base for its tokenizer; a sibling may have kept one of its own, on which no gate was tried."""
    tried = {
        entry.sha256 for made in record.artifacts() if made.kind == "tokenizer"
        for entry in made.files if entry.path == _TOKENIZER
    }  # fmt: skip
    if not tried & {entry.sha256 for entry in artifact.files if entry.path == _TOKENIZER}:
        return "this model has a tokenizer of its own, gates were tried on the base's"
    return _source(record, "base", names, weights=False)


def _source(record: Manifest, name: str, names: Names, *, weights: bool) -> Source | str:
    try:
        return find_source(record, name, names, weights=weights)
    except UserError as error:
        return error.problem.removesuffix(".")
