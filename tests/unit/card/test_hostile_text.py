"""Names out of other people's data stand in a card as text: no link, picture or tag comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubadapt.card import dataset_card, model_card
from hubadapt.card.metadata import local_links
from hubadapt.licences import chain_of
from hubadapt.lineage import Names
from hubadapt.types import Manifest

GOLDEN = Path(__file__).parents[2] / "golden" / "hubadapt.json"
HOSTILE = [
    "![x](http://example.org/pixel.png)", "[click](javascript:alert(1))", "<script>alert(1)</script>", "a | b\nc | d",
    "<img src=x onerror=alert(1)>", "`code` **bold**", "# heading\n\n## another", "&lt;b&gt;",
]  # fmt: skip


@pytest.fixture(params=HOSTILE)
def manifest(request) -> Manifest:
    found = Manifest.model_validate_json(GOLDEN.read_text("utf-8"))
    rows = [dict(row, source=request.param, license=request.param) for row in found.stages[0].facts["sources"]]
    first = found.stages[0].model_copy(update={"facts": {"sources": rows}})
    found = found.model_copy(update={"stages": (first, *found.stages[1:])})
    return found.model_copy(update={"licences": chain_of(found)})


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_name_out_of_data_is_only_text(manifest, language):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    made = {artifact.name: artifact for artifact in manifest.artifacts()}
    names = Names(manifest, "me")
    for text in (
        dataset_card(manifest, made["corpus"], names, language=language),
        model_card(manifest, made["pretrain"], names, language=language),
    ):
        html = markdown.render(text)
        assert not any(
            found in html for found in ("<script", "<img src=x", 'example.org/pixel.png"', 'javascript:alert(1)"')
        )
        assert "<strong>bold" not in html and "<h1>heading" not in html and "<h2>another" not in html
        pictures = {"density/characters_per_token.png", "training/loss.png"}
        assert set(local_links(text)) <= {"README.md", "README_ru.md"} | pictures
