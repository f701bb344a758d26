"""What a push would do, from values alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubadapt.front_matter import read_front_matter
from hubadapt.hub.plan import RepositoryPlan, plan_push
from hubadapt.lineage import Names, parents
from hubadapt.types import Artifact, FileEntry, Manifest, ModelRef, StageRecord


def entry(path: str) -> FileEntry:
    return FileEntry(path=path, size=1, sha256="0" * 64)


def record(*artifacts: Artifact, facts: dict | None = None) -> StageRecord:
    return StageRecord(
        name=artifacts[0].name, kind="shown", params={}, inputs={}, artifacts=artifacts, facts=facts or {}, seconds=1.0,
        fingerprint="",
    )  # fmt: skip


def model(name: str, of: str = "base", *paths: str) -> Artifact:
    files = tuple(entry(path) for path in paths or ("model.safetensors",))
    return Artifact(name=name, kind="model", folder=f"0/{name}", of=of, files=files)


SOURCES = {"sources": [{"source": "a", "language": "ru", "license": "mit"}]}
MANIFEST = Manifest(
    name="run", language="ru", license="mit", recipe="x: y",
    base=ModelRef(id="./base", revision="sha256:1", local=True),
    siblings={
        "chat": ModelRef(id="org/chat", revision="2" * 40),
        "own": ModelRef(id="./own", revision="3", local=True),
    },
    stages=(
        record(Artifact(name="corpus", kind="dataset", folder="0/corpus"), facts=SOURCES),
        record(Artifact(name="tok", kind="tokenizer", folder="0/tok", of="base")),
        record(model("embed")), record(model("pretrain")),
        record(model("lep-chat", "chat"), model("lep-own", "own")), record(model("tuned", "chat")),
    ),
)  # fmt: skip
NAMES = Names(MANIFEST, "me")


def artifact(name: str) -> Artifact:
    return next(made for made in MANIFEST.artifacts() if made.name == name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embed", ("base",)), ("pretrain", ("embed",)), ("lep-chat", ("chat", "pretrain")),
        ("lep-own", ("own", "pretrain")), ("tuned", ("lep-chat", "pretrain")),
    ],
)  # fmt: skip
def test_a_model_descends_from_the_form_before_it_and_a_sibling_also_from_the_adapted_base(name, expected):
    assert parents(MANIFEST, artifact(name)) == expected


def test_sources_on_the_hub_keep_their_names_and_folders_get_one():
    assert [NAMES[name] for name in ("base", "chat", "own", "embed")] == [
        "me/run-source-base", "org/chat", "me/run-source-own", "me/run-embed",
    ]  # fmt: skip


SOURCES_HERE = {"base": (Path("b"), (entry("model.safetensors"),)), "own": (Path("o"), (entry("config.json"),))}
REVISIONS = Names(MANIFEST, "me", "revisions")


def plans(names: Names = NAMES) -> list[RepositoryPlan]:
    return plan_push(MANIFEST, Path("run"), names, sources=SOURCES_HERE)


def card_of(plan: RepositoryPlan) -> str:
    return next(upload.text for upload in plan.uploads if upload.path == "README.md")


def test_sources_come_first_then_data_then_models_as_they_were_made_then_the_space():
    assert [(plan.type, plan.address) for plan in plans()] == [
        ("model", "me/run-source-base"), ("model", "me/run-source-own"), ("dataset", "me/run-corpus"),
        *(("model", f"me/run-{name}") for name in ("embed", "pretrain", "lep-chat", "lep-own", "tuned")),
        ("space", "me/run-compare"),
    ]  # fmt: skip


def test_as_revisions_the_last_form_of_each_source_is_on_main_and_those_before_it_on_branches():
    assert [plan.address for plan in plans(REVISIONS) if plan.type == "model"] == [
        "me/run-source-base", "me/run-source-own",
        "me/run@embed", "me/run", "me/run-chat@lep-chat", "me/run-own", "me/run-chat",
    ]  # fmt: skip


@pytest.mark.parametrize("names", [NAMES, REVISIONS], ids=lambda names: names.layout)
def test_links_never_point_to_what_comes_later(names):
    seen: set[str] = {"org/chat"}
    for plan in plans(names):
        front = read_front_matter(card_of(plan))
        named = {*front.get("base_model", ()), *front.get("datasets", ()), *front.get("models", ())}
        assert named <= seen - {plan.id}, plan.address
        seen.add(plan.id)


def test_cards_name_the_exact_commits_of_what_a_model_was_made_from_as_far_as_they_are_known():
    commits = {"corpus": "c" * 40, "embed": "e" * 40}
    cards = {plan.name: card_of(plan) for plan in plans(Names(MANIFEST, "me", "revisions", commits=commits))}
    assert f"* from [me/run@embed](/me/run/tree/embed), revision `{'e' * 40}`\n" in cards["pretrain"]
    assert f"[me/run-corpus](/datasets/me/run-corpus), revision `{'c' * 40}`\n" in cards["pretrain"]
    assert "* rows from [me/run](/me/run)\n" in cards["tuned"]


def test_the_space_offers_each_adapted_source_and_its_last_form_and_knows_no_token():
    plan = plans(REVISIONS)[-1]
    files = {upload.path: upload.text for upload in plan.uploads}
    assert files.keys() == {"README.md", "app.py", "requirements.txt", "models.txt"}
    assert files["models.txt"].split() == [
        "me/run-source-own", "org/chat", "me/run-source-base", "me/run", "me/run-chat", "me/run-own",
    ]  # fmt: skip
    assert "token" not in files["app.py"].replace("without a token", "").lower()
    front = read_front_matter(files["README.md"])
    assert front["sdk"] == "gradio" and front["models"] == files["models.txt"].split()
    assert "/collections/" not in files["README.md"]
    linked = plans(Names(MANIFEST, "me", collection="me/run-0"))[-1]
    assert "(/collections/me/run-0)" in card_of(linked)


def test_every_repository_gets_its_card_first_and_only_files_of_known_kinds():
    made = model(
        "embed", "base", "README.md", "config.json", "chat_template.jinja", "optimizer.pt", "x.py", "a.safetensors",
        "training_args.bin", "trainer_state.json", "rng_state.pth",
    )  # fmt: skip
    manifest = MANIFEST.model_copy(update={"stages": (record(made),)})
    plan, _ = plan_push(manifest, Path("run"), Names(manifest, "me"), sources={})
    assert [upload.path for upload in plan.uploads] == [
        "README.md", "config.json", "chat_template.jinja", "a.safetensors", "README_ru.md", "hubadapt.json",
        "SHA256SUMS",
    ]  # fmt: skip
    assert plan.uploads[1].local == Path("run/0/embed/config.json")
    assert plan.size == sum(upload.size for upload in plan.uploads)


def test_pictures_of_reports_travel_with_every_model_and_with_nothing_else():
    drawn = Artifact(name="density", kind="report", folder="0/figures", files=(entry("a.png"), entry("notes.py")))
    manifest = MANIFEST.model_copy(update={"stages": (*MANIFEST.stages[:2], record(drawn), *MANIFEST.stages[2:])})
    for plan in plan_push(manifest, Path("run"), Names(manifest, "me"), sources={}):
        found = [upload for upload in plan.uploads if upload.path.startswith("density/")]
        assert [upload.path for upload in found] == (["density/a.png"] if plan.type == "model" else [])
        assert [upload.local for upload in found] == [Path("run/0/figures/a.png")] * len(found)


def test_a_model_carries_the_licence_files_of_its_sources_and_nothing_else_of_them():
    terms = {
        "base": (Path("b"), (entry("LICENSE"), entry("USE_POLICY.md"), entry("model.safetensors"))),
        "chat": (Path("c"), (entry("LICENSE"), entry("config.json"))),
    }
    for plan in plan_push(MANIFEST, Path("run"), NAMES, sources={}, terms=terms):
        found = {upload.path: upload.local for upload in plan.uploads if upload.path in ("LICENSE", "USE_POLICY.md")}
        if plan.type != "model":
            assert found == {}
        elif plan.id.endswith(("lep-chat", "tuned")):
            assert found == {"LICENSE": Path("c/LICENSE"), "USE_POLICY.md": Path("b/USE_POLICY.md")}
        else:
            assert found == {"LICENSE": Path("b/LICENSE"), "USE_POLICY.md": Path("b/USE_POLICY.md")}
