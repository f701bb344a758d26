"""A stage is one file: put beside the others it appears in the command line, recipe, card, push plan and comparison."""

from __future__ import annotations

import re
import sys

import pico
import pytest

import hubadapt.stages

SOURCE = '''
"""Stage `shout`: copies the newest model and says something."""

from __future__ import annotations

import shutil

from pydantic import Field

from hubadapt.stages import Made, StageConfig, StageContext, StageResult, stage
from hubadapt.types import Metric


class Config(StageConfig):
    """Parameters of the shout stage."""

    word: str = Field("hello", description="What to say")
    times: int = Field(3, gt=0, description="How often")


@stage("shout", Config, needs=("embed",))
def run(context: StageContext, config: Config) -> StageResult:
    """Copy the newest model and say something."""
    folder = context.folder / "model"
    shutil.copytree(context.latest_folder("model"), folder)
    metric = Metric(name="loudness", value=97.25, unit="dB", higher_is_better=None, model="shout", language="ru")
    said = " ".join([config.word] * config.times)
    return StageResult((Made("shout", "model", folder, "base"),), (metric,), {"said": said})
'''


@pytest.fixture
def shout(tmp_path, monkeypatch):
    """The file, found as if it lay in `hubadapt/stages`; forgotten afterwards."""
    folder = tmp_path / "stages"
    folder.mkdir()
    (folder / "shout.py").write_text(SOURCE, "utf-8")
    monkeypatch.setattr(hubadapt.stages, "__path__", [*hubadapt.stages.__path__, str(folder)])
    yield
    sys.modules.pop("hubadapt.stages.shout", None)
    hubadapt.stages._registry._entries.pop("shout", None)
    hubadapt.stages._registry._scanned.discard("hubadapt.stages.shout")


@pytest.fixture
def shouted(shout, finished_copy) -> pico.Workshop:
    finished_copy.content["stages"] = [*finished_copy.content["stages"][:3], {"shout": {"word": "ура", "times": 2}}]
    finished_copy.write()
    finished_copy.run()
    return finished_copy


def test_it_appears_on_the_command_line(shout, cli):
    assert cli("stages", "shout").out == (
        "shout: Copy the newest model and say something. (after embed)\n"
        "    word: What to say [default hello]\n"
        "    times: How often [default 3]\n"
    )
    assert "shout: " in cli("stages").out


def test_its_recipe_is_checked(shout, cli, workshop):
    workshop.content["stages"] = [{"shout": {"word": "x", "time": 2}}]
    outcome = cli("check", workshop.write())
    assert outcome.err == (
        f"{workshop.recipe}: stage shout has an unknown key 'time'.\nDid you mean 'times'?\n"
        f"{workshop.recipe}: the stage shout needs the stage embed before it.\nAdd `- embed` above it.\n"
    )


def test_it_runs_and_is_skipped_when_it_is_intact(shouted):
    assert shouted.ran() == ["shout"]
    record = shouted.manifest.stages[-1]
    assert (record.kind, record.facts) == ("shout", {"said": "ура ура"})
    shouted.run()
    assert shouted.ran() == []


def test_it_appears_in_the_card(shouted, cli):
    paths = cli("card", shouted.out).out.split()
    card = open(next(path for path in paths if path.endswith("pico-ru-shout.md")), encoding="utf-8").read()  # noqa: SIM115
    assert "### 4. shout" in card
    assert "* word: `ура`" in card
    assert "* said: ура ура" in card


def test_it_appears_in_the_push_plan(shouted, cli):
    plan = cli("push", shouted.out, "--to", "me", "--dry-run").out
    assert re.search(r"^model +me/pico-ru-shout  ", plan, re.MULTILINE)


def test_it_appears_in_the_comparison(shouted, cli):
    outcome = cli("compare", shouted.out, "--text", "--prompt", "The river", "--max-new-tokens", "3")
    assert outcome.code == 0, outcome.err
    assert "── shout" in outcome.out


def test_without_the_file_it_is_unknown(cli):
    assert cli("stages", "shout").err.startswith("there is no stage 'shout'.")
