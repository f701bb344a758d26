"""The demonstration from end to end: text, models, run, push, load back, one table and three addresses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hubadapt.assets import asset
from hubadapt.demo.base import make_base
from hubadapt.demo.sibling import make_sibling
from hubadapt.demo.table import before_and_after
from hubadapt.errors import MissingExtraError
from hubadapt.hub.draft import prepare, write_cards
from hubadapt.hub.publish import Published, publish
from hubadapt.lineage import Names
from hubadapt.manifest import write_atomic
from hubadapt.recipe import read_recipe
from hubadapt.runner import run_recipe
from hubadapt.types import Manifest, Progress
from hubadapt.verify.reading import verify_published

PORT = 8765
_VERIFIED = "verified.json"


def run_demo(
    out: Path, *, texts: Path | None, namespace: str | None, progress: Progress, say: Callable[[str], None]
) -> None:
    """Do everything the demo shows; what is there already is not done again.

    Args:
        out: Folder for models, corpus, run and embedded Hub.
        texts: Folder that holds the text packages, or None where they are installed beside hubadapt.
        namespace: Publish to the real Hub under this namespace; None takes the embedded one.
        progress: Opens progress bars.
        say: Prints a line.

    Raises:
        UserError: A package is missing, or the Hub refuses.
    """
    say("1/5  text and models")
    _make_sources(out, texts, progress)
    say("2/5  the run: vocabulary, rows, training, LEP, measuring")
    recipe = out / "recipe.yaml"
    if not recipe.is_file():
        shutil.copyfile(asset("templates", "recipes", "demo.yaml"), recipe)
    run = out / "run"
    manifest = run_recipe(
        read_recipe(recipe), run, progress=progress, report=lambda kind, event: say(f"     {kind}: {event}")
    )
    with _target(out, namespace) as (endpoint, token, owner):
        say(f"3/5  publishing to {endpoint}")
        draft = prepare(run, owner)
        published = publish(
            draft, token=token, endpoint=endpoint, report=lambda address, event: say(f"     {address}: {event}")
        )
        say("4/5  loading the published models back with from_pretrained alone")
        _load_back(run, manifest, Names(manifest, owner), published, endpoint, say)
    card = next(path for path in write_cards(draft) if path.stem.endswith("pretrain"))
    say(f"5/5  {manifest.name}: before and after\n")
    say(before_and_after(manifest))
    _say_addresses(out, card, published, embedded=namespace is None, say=say)


def _make_sources(out: Path, texts: Path | None, progress: Progress) -> None:
    from hubadapt.demo.texts import Document, english_dialogues, english_documents, russian_documents

    def save(path: Path, documents: Iterator[Document]) -> None:
        if not path.is_file():
            rows = ({"text": d.text, "source": d.source, "license": d.license, "id": d.doc_id} for d in documents)
            write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    with progress("preparing", 4) as advance:
        save(out / "corpus" / "ru.jsonl", russian_documents(texts))
        advance(1)
        save(out / "corpus" / "en.jsonl", english_documents())
        advance(1)
        (out / "models").mkdir(exist_ok=True)
        make_base(out / "models" / "base")
        advance(1)
        dialogues = [] if (out / "models" / "python-helper").is_dir() else list(english_dialogues())
        advance(1)
    make_sibling(out / "models" / "base", out / "models" / "python-helper", dialogues, progress)


@contextmanager
def _target(out: Path, namespace: str | None) -> Iterator[tuple[str, str | None, str]]:
    """Endpoint, token and namespace to publish to; the embedded Hub runs while the block does."""
    if namespace is not None:
        from huggingface_hub import constants

        yield constants.ENDPOINT, None, namespace
        return
    try:
        from hubadapt.localhub.accounts import write_token
        from hubadapt.localhub.server import running
    except ModuleNotFoundError as error:
        raise MissingExtraError("the embedded Hub", "hub") from error
    with running(out / "hub", PORT) as endpoint:
        yield endpoint, write_token(out / "hub"), "local"


def _load_back(
    run: Path, manifest: Manifest, names: Names, published: list[Published], endpoint: str, say: Callable[[str], None]
) -> None:
    commits = {done.id: done.commit for done in published}
    receipt = run / _VERIFIED
    if receipt.is_file() and json.loads(receipt.read_text(encoding="utf-8")) == commits:
        say("     these very commits were loaded and compared before")
        return
    for name, difference in verify_published(manifest, names, endpoint=endpoint).items():
        say(f"     {names[name]}: ids equal, logits within {difference:.1g}")
    write_atomic(receipt, json.dumps(commits, indent=2) + "\n")


def _say_addresses(
    out: Path, card: Path, published: list[Published], *, embedded: bool, say: Callable[[str], None]
) -> None:
    page = next(done.url for done in published if done.id.endswith("pretrain"))
    say(
        f"\nmodel page   {page}"
        + (f"   (serve it: hubadapt hub serve --data {out / 'hub'} --port {PORT})" if embedded else "")
    )
    say(f"card         {card}")
    say(f"compare      hubadapt compare {out / 'run'} --text --prompt 'Чтобы открыть файл,'")
