"""A Hub that refuses in the middle of a push, or names it would refuse: two lines, and nothing half-published."""

from __future__ import annotations

import json
import re
import threading
import urllib.request

import pico
import pytest
import stub_hub
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils import close_session, get_session

from hubadapt.hub import client, ids, patience

RIGHTS = "Push under a namespace of yours (--to), or take a token with write rights: export HF_TOKEN=hf_…"


@pytest.fixture
def waited(monkeypatch) -> list[float]:
    """Seconds that would have been waited; no test waits."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def push(cli, finished_copy, at_hub, hub):
    """Push a run of this name to the embedded Hub, but for the requests that `answer` answers otherwise."""

    def call(name: str, answer, *, to: str = "local", token: str | None = None) -> pico.Outcome:
        finished_copy.rename(name)
        with stub_hub.in_front_of(hub.endpoint, answer) as endpoint, at_hub(endpoint, token or hub.token):
            outcome = cli("push", finished_copy.out, "--to", to)
        outcome.err = outcome.err.replace(endpoint, "HUB")
        return outcome

    return call


def answer_to(method: str, path: str, *answers: stub_hub.Answer | None):
    """Answer requests whose path ends or goes on so in turn with these, then as the Hub itself does."""
    left = list(answers)

    def answer(asked: str, at: str) -> stub_hub.Answer | None:
        return left.pop(0) if left and asked == method and path in at else stub_hub.GOES_ON

    return answer


def refusal(status: int, reason: str = "so it is", **headers: str) -> stub_hub.Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, {"error": reason}


def exists(hub, name: str) -> bool:
    return HfApi(endpoint=hub.endpoint, token=hub.token).repo_exists(name)


@pytest.mark.parametrize(
    ("status", "problem", "hint"),
    [
        (400, "the Hub refuses {}: so it is", "Mend what it names, then do the same again."),
        (401, "the Hub does not accept the token for {}.", "hf auth login, or: export HF_TOKEN=hf_…"),
        (402, "the Hub asks for a paid plan for {}: so it is", "Take one, or leave {} out."),
        (403, "the token may not write {}.", RIGHTS),
        (404, "{} has gone from HUB, or the token may not see it.",
         "Push again; if it stays, take a token that may read it too: hf auth login"),
        (429, "the Hub takes no more requests for now ({}): so it is", "Do the same again in five minutes."),
        (500, "the Hub answered 500 for {}: so it is", "Try again; if it stays, look at the Hub's status page."),
    ],
)  # fmt: skip
def test_a_refused_repository_ends_a_push_before_anything_is_published(push, hub, waited, status, problem, hint):
    code = {"X-Error-Code": "RepoNotFound"} if status == 404 else {}
    outcome = push("refused", answer_to("POST", "/api/repos/create", (status, code, {"error": "so it is"})))
    first = "local/refused-source-base"
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-2:] == [problem.format(first), hint.format(first)]
    assert not exists(hub, first) and waited == []


@pytest.mark.parametrize(
    ("status", "problem", "hint"),
    [
        (403, "the token may not write {}.", RIGHTS),
        (409, "{} was changed by someone else meanwhile.", "Look at the change, then push again."),
        (412, "{} was changed by someone else meanwhile.", "Look at the change, then push again."),
        (503, "the Hub answered 503 for {}: so it is", "Try again; if it stays, look at the Hub's status page."),
    ],
)
def test_a_refused_commit_leaves_a_repository_without_any_file_of_ours(push, hub, waited, status, problem, hint):
    outcome = push(f"uncommitted-{status}", answer_to("POST", "/commit/", refusal(status)))
    first = f"local/uncommitted-{status}-source-base"
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [problem.format(first), hint]
    assert HfApi(endpoint=hub.endpoint, token=hub.token).list_repo_files(first) == [".gitattributes"]


@pytest.mark.parametrize(
    ("status", "problem"),
    [(401, "the Hub does not accept the token for {}."), (403, "the token may not write {}."),
     (404, "the transfer of {} failed: ")],
)  # fmt: skip
def test_a_transfer_that_is_refused_is_told(push, status, problem):
    name = f"sent-{status}"
    outcome = push(name, lambda method, path: refusal(status) if "xet-write-token" in path else stub_hub.GOES_ON)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2].startswith(problem.format(f"local/{name}-source-base"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"RateLimit": '"api";r=0;t=55', "RateLimit_Policy": '"fixed window";"api";q=500;w=300'}, 56),
        ({"RateLimit": '"api";r=3;t=55', "Retry_After": "9"}, 9),
    ],
)
@pytest.mark.parametrize("path", ["/api/whoami-v2", "/api/repos/create", "/api/models/local/patient", "/commit/"])
def test_a_hub_that_asks_to_wait_is_asked_again_once_and_then_all_goes_well(hub, waited, path, headers, seconds):
    HfApi(endpoint=hub.endpoint, token=hub.token).create_repo("local/patient", exist_ok=True)
    busy = refusal(429, **headers)
    method = "POST" if path in ("/api/repos/create", "/commit/") else "GET"
    with stub_hub.in_front_of(hub.endpoint, answer_to(method, path, busy)) as endpoint:
        api = client.hub_api(hub.token, endpoint)
        calls = {
            "/api/whoami-v2": api.whoami,
            "/api/repos/create": lambda: api.create_repo("local/patient", exist_ok=True),
            "/api/models/local/patient": lambda: api.model_info("local/patient"),
            "/commit/": lambda: api.create_commit(
                "local/patient", [CommitOperationAdd(f"{seconds}.txt", b"1")], commit_message="Wait"
            ),
        }
        calls[path]()
    assert waited == [seconds]


def test_a_push_goes_on_where_the_hub_asked_to_wait(push, waited):
    outcome = push("went-on", answer_to("POST", "/commit/", refusal(429, Retry_After="7")))
    assert outcome.code == 0 and waited == [7]


def test_a_hub_that_asks_to_wait_twice_is_not_asked_a_third_time(push, waited):
    busy = refusal(429, Retry_After="7")
    outcome = push("busy", answer_to("POST", "/api/repos/create", busy, busy))
    assert outcome.err.splitlines()[-2:] == [
        "the Hub takes no more requests for now (local/busy-source-base): so it is",
        "Do the same again in 7 seconds.",
    ]
    assert waited == [7]


def test_a_wait_of_an_hour_is_told_and_not_waited(push, waited):
    long = str(patience.LONGEST + 3000)
    outcome = push("later", answer_to("POST", "/api/repos/create", refusal(429, Retry_After=long)))
    assert outcome.err.splitlines()[-1] == "Do the same again in 3,600 seconds." and waited == []


@pytest.mark.parametrize("path", ["/api/repos/create", "/commit/"])
def test_a_connection_that_is_cut_is_told(push, path):
    name = f"cut{path.count('/')}"
    outcome = push(name, answer_to("POST", path, None))
    assert outcome.err.splitlines()[-2:] == [
        f"the Hub at HUB does not answer (local/{name}-source-base).",
        "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`.",
    ]


def test_a_hub_that_takes_a_request_and_says_nothing_is_not_waited_for_without_end(push, monkeypatch):
    monkeypatch.setattr(client, "SILENCE", 0.2)
    over = threading.Event()

    def silent(method: str, path: str) -> stub_hub.Answer | None:
        if path == "/api/repos/create":
            over.wait(60)
            return None
        return stub_hub.GOES_ON

    try:
        outcome = push("silent", silent)
    finally:
        over.set()
        close_session()
    assert outcome.err.splitlines()[-2] == "the Hub at HUB does not answer (local/silent-source-base)."


@pytest.mark.parametrize(("given", "limit"), [(None, client.SILENCE), (3.0, 3.0)])
def test_a_request_has_a_limit_and_one_that_came_with_its_own_keeps_it(hub, given, limit):
    seen = []
    api = client.hub_api(hub.token, hub.endpoint)
    client.hub_api(hub.token, hub.endpoint)
    api.create_repo("local/limited", exist_ok=True)
    get_session().event_hooks["request"].append(lambda request: seen.append(request.extensions["timeout"]["read"]))
    api.model_info("local/limited", timeout=given)
    close_session()
    assert seen == [limit]


def test_a_token_that_may_only_read_is_refused_before_anything_is_asked(push, hub):
    outcome = push("reader", lambda method, path: stub_hub.GOES_ON, token=hub.read_token)
    assert outcome.err.splitlines()[-2:] == [
        "the token may not write local/reader-source-base: it may only read.", RIGHTS,
    ]  # fmt: skip


@pytest.mark.parametrize("namespace", ["some one", "a/b", "-me", "me.git/", "моё", "", "x" * 97, "two--dashes"])
def test_a_namespace_that_is_none_is_refused_before_the_network(push, namespace):
    outcome = push("named", lambda method, path: pytest.fail(f"asked {method} {path}"), to=namespace)
    assert (outcome.code, outcome.err.splitlines()) == (
        1,
        [f"{namespace!r} is no user or organisation of a Hub.", "Give its name alone: --to NAMESPACE"],
    )


def test_a_name_too_long_for_a_hub_is_refused_before_the_network(push):
    outcome = push("n" * 90, lambda method, path: pytest.fail(f"asked {method} {path}"))
    assert outcome.code == 1
    assert outcome.err.splitlines()[:2] == [
        f"local/{'n' * 90}-source-base has a name of 102 characters; a Hub takes {ids.LONGEST_NAME}.",
        "Give the run, or what is at the end of it, a shorter name in the recipe, and run it again.",
    ]


@pytest.mark.parametrize("name", ["a..b", "a--b", "a b", "a.git", "имя", "<img src=x onerror=alert(1)>"])
def test_an_id_that_a_hub_refuses_is_named(name):
    (problem,) = ids.id_problems([f"me/{name}", "me/good"], "me")
    assert f"me/{name}" in problem.problem


HOSTILE = """<script>alert(1)</script>

<img src=x onerror=alert(1)> [click](javascript:alert(1)) ![x](data:text/html,<script>alert(1)</script>)

<svg/onload=alert(1)><iframe srcdoc="<script>alert(1)</script>"></iframe> <a href="javascript:alert(1)">x</a>
"""


def test_nothing_hostile_in_notes_data_or_names_runs_on_the_page(push, finished_copy, hub):
    (finished_copy.out / "notes.md").write_text(HOSTILE, "utf-8")
    path = finished_copy.out / "hubadapt.json"
    manifest = json.loads(path.read_text("utf-8"))
    for source in manifest["stages"][0]["facts"]["sources"]:
        source["source"] = "<script>alert(1)</script>"
    path.write_text(json.dumps(manifest), "utf-8")
    assert push("hostile", lambda method, at: stub_hub.GOES_ON).code == 0
    for address in ("local/hostile-pretrain", "datasets/local/hostile-corpus"):
        with urllib.request.urlopen(f"{hub.endpoint}/{address}") as reply:
            page, policy = reply.read().decode(), reply.headers["Content-Security-Policy"]
        tags = re.findall(r"<[a-z][^>]*>", page)
        assert not [tag for tag in tags if re.match(r"<(script|iframe|svg|object|embed)\b", tag)]
        assert not [tag for tag in tags if re.search(r"""\s(on\w+\s*=|(href|src)=["']?(javascript|data):)""", tag)]
        assert "alert(1)" in page and "script" not in policy
