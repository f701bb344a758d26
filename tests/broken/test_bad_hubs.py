"""A Hub that refuses or does not answer: two lines, exit code 1, and nothing half-written on either side."""

from __future__ import annotations

import json

import environment
import pico
import pytest
import stub_hub
from huggingface_hub import HfApi

RIGHTS = "Push under a namespace of yours (--to), or take a token with write rights: export HF_TOKEN=hf_…"
LOGIN = "hf auth login, or: export HF_TOKEN=hf_…"
ANSWER = "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`."
FIRST = "local/pico-ru-source-base"


def refuse(outcome: pico.Outcome, problem: str, hint: str) -> None:
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"{problem}\n{hint}\n")


@pytest.fixture
def check_base(cli, workshop):
    """Check and run a recipe whose base is this Hub id; nothing may be written."""

    def check(base: str, problem: str, hint: str) -> None:
        workshop.content["base"] = base
        workshop.write()
        before = pico.listing(workshop.folder)
        refuse(cli("run", workshop.recipe), problem, hint)
        assert pico.listing(workshop.folder) == before

    return check


def test_a_base_that_does_not_exist_is_named(check_base, at_hub, hub):
    with at_hub(hub.endpoint):
        check_base(
            "some/nothing",
            f"some/nothing does not exist on {hub.endpoint}, or is private.",
            "Check the spelling; a folder starts with ./ ; for a private one: hf auth login",
        )


def test_a_revision_that_does_not_exist_is_named(check_base, at_hub, hub, base):
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/there", exist_ok=True)
    with at_hub(hub.endpoint):
        check_base(
            "local/there@v9", "local/there@v9: there is no such revision.",
            "Leave the part after @ out to take the newest.",
        )  # fmt: skip


def test_a_base_without_weights_on_the_hub_is_named(check_base, at_hub, hub, base):
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("local/weightless-base", exist_ok=True)
    api.upload_folder(repo_id="local/weightless-base", folder_path=base, ignore_patterns="*.safetensors")
    with at_hub(hub.endpoint):
        check_base(
            "local/weightless-base",
            "local/weightless-base holds no safetensors weights.",
            "Convert it once: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)",
        )


def test_a_gated_base_says_where_to_ask_for_access(check_base, at_hub):
    with stub_hub.answering(stub_hub.gated) as endpoint, at_hub(endpoint):
        check_base(
            "some/gated",
            f"some/gated@{stub_hub.SHA} is gated.",
            f"Ask for access on {endpoint}/some/gated, then: hf auth login",
        )


def test_what_is_no_hub_id_is_refused(check_base):
    check_base(
        "some/no good",
        "some/no good is no Hub id: Repo id must use alphanumeric chars, '-', '_' or '.'. The name cannot start or end "
        "with '-' or '.' and the maximum length is 96: 'some/no good'.",
        "Write owner/name, or a folder as ./folder.",
    )


def test_a_hub_that_does_not_answer_is_named(check_base):
    check_base("some/base", f"the Hub at {environment.CLOSED_PORT} does not answer (some/base).", ANSWER)


def test_a_process_that_is_to_stay_offline_is_told_so(check_base, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    check_base(
        "some/base",
        f"some/base is asked of {environment.CLOSED_PORT}, while HF_HUB_OFFLINE is set.",
        "unset HF_HUB_OFFLINE ; it keeps you from a Hub on your own machine, too.",
    )


@pytest.mark.parametrize(("status", "reason"), [(500, "out of order"), (503, "back soon")])
def test_a_hub_in_trouble_is_quoted(check_base, at_hub, status, reason):
    with stub_hub.answering(lambda method, path: (status, {}, {"error": reason})) as endpoint, at_hub(endpoint):
        check_base(
            "some/base",
            f"the Hub answered {status} for some/base: {reason}",
            "Try again; if it stays, look at the Hub's status page.",
        )


def test_a_hub_that_hangs_up_is_named(check_base, at_hub):
    with stub_hub.answering(lambda method, path: None) as endpoint, at_hub(endpoint):
        check_base("some/base", f"the Hub at {endpoint} does not answer (some/base).", ANSWER)


@pytest.fixture
def refused_push(cli, finished_copy):
    """Push the finished run and compare the two lines; the run folder may not change, the plan's start is reported."""

    def check(problem: str, hint: str, *, started: int = 1) -> None:
        before = pico.listing(finished_copy.out)
        outcome = cli("push", finished_copy.out, "--to", "local")
        lines = outcome.err.splitlines()
        assert (outcome.code, outcome.out) == (1, "")
        assert lines[started:] == [problem, hint]
        assert pico.listing(finished_copy.out) == before

    return check


def test_a_push_without_a_token_is_refused_before_the_network(refused_push):
    refused_push(f"there is no token, and publishing {FIRST} needs one.", LOGIN, started=0)


def test_a_push_to_a_hub_that_does_not_answer_is_refused(refused_push, at_hub):
    with at_hub(environment.CLOSED_PORT, "hf_something"):
        refused_push(f"the Hub at {environment.CLOSED_PORT} does not answer ({FIRST}).", ANSWER, started=0)


def test_a_push_with_an_unknown_token_is_refused(refused_push, at_hub, hub):
    with at_hub(hub.endpoint, "hf_unknown"):
        refused_push(f"the Hub does not accept the token for {FIRST}.", LOGIN, started=0)


def test_a_push_with_a_read_token_is_refused_and_makes_no_repository(refused_push, at_hub, hub):
    with at_hub(hub.endpoint, hub.read_token):
        refused_push(f"the token may not write {FIRST}: it may only read.", RIGHTS, started=0)
    assert not HfApi(endpoint=hub.endpoint, token=hub.token).repo_exists(FIRST)


def test_a_receipt_names_only_what_arrived(cli, finished_copy, at_hub, hub, monkeypatch):
    create_commit = HfApi.create_commit
    sent = []

    def failing(self, repo_id, *arguments, **options):
        if sent:
            raise KeyboardInterrupt
        sent.append(repo_id)
        return create_commit(self, repo_id, *arguments, **options)

    finished_copy.rename("cut")
    monkeypatch.setattr(HfApi, "create_commit", failing)
    with at_hub(hub.endpoint, hub.token):
        outcome = cli("push", finished_copy.out, "--to", "local")
        assert outcome.code == 1
        assert outcome.err.splitlines()[-2:] == [
            "Stopped by Ctrl-C; nothing is half-written.",
            "Run the same command again to go on.",
        ]
        assert outcome.err.splitlines()[:-2] == [
            "local/cut-source-base: started",
            "local/cut-source-base: published",
            "local/cut-source-instruct: started",
        ]
        receipt = json.loads((finished_copy.out / "receipt.json").read_text("utf-8"))
        assert [entry["id"] for entry in receipt if entry["commit"]] == sent == ["local/cut-source-base"]
        monkeypatch.setattr(HfApi, "create_commit", create_commit)
        again = cli("push", finished_copy.out, "--to", "local")
    assert again.code == 0
    events = dict(line.split(": ") for line in again.err.splitlines() if not line.endswith("started"))
    assert events.pop("local/cut-source-base") == "unchanged"
    assert set(events.values()) == {"published"}
    receipt = json.loads((finished_copy.out / "receipt.json").read_text("utf-8"))
    commits = [entry["commit"][:12] for entry in receipt if entry["type"] != "collection"]
    assert [line.split()[-1] for line in again.out.splitlines() if "/collections/" not in line][:-1] == commits
