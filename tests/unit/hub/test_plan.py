"""What a push would do, from values alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.hub.plan import Remote, RemoteFile, RepositoryPlan, Upload, changed, plan_push
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


def plans() -> list[RepositoryPlan]:
    sources = {"base": (Path("b"), (entry("model.safetensors"),)), "own": (Path("o"), (entry("config.json"),))}
    return plan_push(MANIFEST, Path("run"), NAMES, sources=sources)


def test_sources_come_first_then_data_then_models_as_they_were_made():
    assert [(plan.type, plan.id) for plan in plans()] == [
        ("model", "me/run-source-base"), ("model", "me/run-source-own"), ("dataset", "me/run-corpus"),
        *(("model", f"me/run-{name}") for name in ("embed", "pretrain", "lep-chat", "lep-own", "tuned")),
    ]  # fmt: skip


def test_links_never_point_to_what_comes_later():
    seen: set[str] = {"org/chat"}
    for plan in plans():
        card = next(upload.text for upload in plan.uploads if upload.path == "README.md")
        front = card.split("---\n")[1]
        named = {line.removeprefix("- ") for line in front.splitlines() if line.startswith("- ") and "/" in line}
        assert named <= seen, plan.id
        seen.add(plan.id)


def test_every_repository_gets_its_card_first_and_only_files_of_known_kinds():
    made = model(
        "embed", "base", "README.md", "config.json", "chat_template.jinja", "optimizer.pt", "x.py", "a.safetensors"
    )
    manifest = MANIFEST.model_copy(update={"stages": (record(made),)})
    (plan,) = plan_push(manifest, Path("run"), Names(manifest, "me"), sources={})
    assert [upload.path for upload in plan.uploads] == [
        "README.md", "config.json", "chat_template.jinja", "a.safetensors", "README_ru.md",
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


def upload(path: str, text: str) -> Upload:
    return Upload(path, len(text), hashlib.sha256(text.encode()).hexdigest(), text=text)


names = st.sampled_from("abcde")
files = st.dictionaries(names, st.text(max_size=3), max_size=5)


@given(files, files, st.sets(names))
def test_exactly_what_differs_is_sent(here, there, large):
    plan = RepositoryPlan("me/x", "model", tuple(upload(path, text) for path, text in here.items()), "")
    blobs = {path: f"blob of {text}" for path, text in here.items()}
    remote = {
        path: RemoteFile("pointer", hashlib.sha256(text.encode()).hexdigest())
        if path in large
        else RemoteFile(f"blob of {text}", None)
        for path, text in there.items()
    }
    sent = {upload.path for upload in changed(plan, Remote("head", remote), blobs)}
    assert sent == {path for path, text in here.items() if there.get(path) != text}
    stored = {upload.path: RemoteFile("pointer", upload.sha256) for upload in plan.uploads}
    assert changed(plan, Remote("head", stored), blobs) == ()


def test_into_a_repository_that_does_not_exist_everything_is_sent():
    plan = plans()[-1]
    assert changed(plan, Remote(), {}) == plan.uploads


def test_a_model_carries_the_licence_files_of_its_sources_and_nothing_else_of_them():
    terms = {
        "base": (Path("b"), (entry("LICENSE"), entry("USE_POLICY.md"), entry("model.safetensors"))),
        "chat": (Path("c"), (entry("LICENSE"), entry("config.json"))),
    }
    for plan in plan_push(MANIFEST, Path("run"), NAMES, sources={}, terms=terms):
        found = {upload.path: upload.local for upload in plan.uploads if upload.path in ("LICENSE", "USE_POLICY.md")}
        if plan.type == "dataset":
            assert found == {}
        elif plan.id.endswith(("lep-chat", "tuned")):
            assert found == {"LICENSE": Path("c/LICENSE"), "USE_POLICY.md": Path("b/USE_POLICY.md")}
        else:
            assert found == {"LICENSE": Path("b/LICENSE"), "USE_POLICY.md": Path("b/USE_POLICY.md")}
