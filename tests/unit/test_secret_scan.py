"""What looks like a secret or a local path in text that will be published."""

from __future__ import annotations

import pytest

from hubadapt.secret_scan import find_local_paths, find_secrets, secrets_of_record
from hubadapt.types import Manifest, ModelRef, StageRecord

LONG = "aB3dE5" * 5


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"base: x # hf_{LONG}", "a Hugging Face token"),
        (f"sk-proj-{LONG}", "an OpenAI-style key"),
        ("AKIA" + "ABCD1234" * 2, "an AWS access key"),
        (f"ghp_{LONG}", "a GitHub token"),
        (f"github_pat_{LONG}", "a GitHub token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("see https://me:secret@example.org", "a URL with a password"),
        ("  api_key: x", "a password or token"),
        ("PASSWORD = x", "a password or token"),
        ("- hf_access_token: x", "a password or token"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_secret_is_found_in_its_own_line(line, what, before):
    assert find_secrets("\n" * before + line + "\nmore") == [(before + 1, what)]


@pytest.mark.parametrize(
    "line",
    [
        "max_new_tokens: 40", "tokenizer:", "new_tokens: 1024", "see https://example.org/a@b", "a hf_ prefix",
        "what a secret it is", "sk-learn", "passwords are hashed", "author: me@x.org",
    ],
)  # fmt: skip
def test_everyday_words_are_not_taken_for_secrets(line):
    assert find_secrets(line) == []


def test_the_secret_itself_is_not_told():
    assert LONG not in repr(find_secrets(f"hf_{LONG}"))


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("base: /home/me/model", "/home/me/model"),
        ("path: ~/corpus.txt", "~/corpus.txt"),
        (r"path: C:\Users\me", r"C:\Users\me"),
        ("path: '/data/x.txt'", "/data/x.txt"),
    ],
)
def test_paths_of_this_machine_are_found(line, path):
    assert find_local_paths(f"a: b\n{line}") == [(2, path)]


@pytest.mark.parametrize("line", ["base: ./model", "base: some/data", "https://x.org/data/a", "a/home/b", "5 / tmp"])
def test_relative_paths_and_addresses_are_left_alone(line):
    assert find_local_paths(line) == []


def recorded(**content) -> Manifest:
    stage = StageRecord(
        name="embed", kind="embed", params=content.pop("params", {}), inputs={}, facts=content.pop("facts", {}),
        seconds=0, fingerprint="",
    )  # fmt: skip
    base = ModelRef(id="b", revision="c")
    return Manifest(name="a", language="ru", license="mit", base=base, recipe="", stages=(stage,), **content)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"facts": {"log": ["fine", f"token hf_{LONG} taken"]}}, "stages.embed.facts.log.1"),
        ({"facts": {"deep": {f"ghp_{LONG}": 1}}}, "stages.embed.facts.deep"),
        ({"params": {"url": "https://me:secret@example.org/x"}}, "stages.embed.params.url"),
        ({"params": {"reader": {"api_key": "x"}}}, "stages.embed.params.reader.api_key"),
        ({"hardware": {"processor": f"hf_{LONG}"}}, "hardware.processor"),
    ],
)
def test_a_secret_anywhere_in_a_record_is_found_and_not_told(content, place):
    ((where, what),) = secrets_of_record(recorded(**content))
    assert where == place
    assert LONG not in where + what


@pytest.mark.parametrize(
    "content",
    [
        {"facts": {"output": "password = input('Password: ')\napi_key: 7"}},
        {"facts": {"tokens": {"password": "pass word"}}},
        {"params": {"secret_words": 3, "min_occurrences": 2}},
    ],
)
def test_what_a_model_wrote_of_passwords_is_no_secret(content):
    assert secrets_of_record(recorded(**content)) == []
