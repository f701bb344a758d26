"""The Space's program opens the page on the models that `models.txt` names, as far as anybody may read them."""

from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace

from hubadapt.assets import asset
from hubadapt.errors import HubError


def test_the_program_offers_every_model_that_can_be_read(tmp_path, monkeypatch):
    opened = []

    def find_models(texts, start):
        if texts == ("me/gated",):
            raise HubError("me/gated is gated.", "Ask for access.")
        return {text: start / text for text in texts}

    def build_page(models):
        return SimpleNamespace(launch=lambda: opened.append([*models]))

    monkeypatch.setitem(sys.modules, "hubadapt.compare.page", SimpleNamespace(build_page=build_page))
    monkeypatch.setattr("hubadapt.compare.answers.find_models", find_models)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.txt").write_text("me/base\nme/gated\nme/run@embed\nme/run\n", "utf-8")
    runpy.run_path(str(asset("spaces", "compare") / "app.py"))
    assert opened == [["me/base", "me/run@embed", "me/run"]]
