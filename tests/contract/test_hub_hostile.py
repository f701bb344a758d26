"""Hundreds of hostile requests to one Hub: no failure in it, no way out of its folder, no look at what is private."""

from __future__ import annotations

import hostile
import pytest
from huggingface_hub import HfApi
from hypothesis import given, settings

from hubadapt.localhub.server import running


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    data = tmp_path_factory.mktemp("around") / "hub"
    with running(data) as endpoint:
        yield hostile.besiege(endpoint, data)


@settings(max_examples=150)
@given(hostile.SHOTS)
def test_hostile_requests_are_refused_and_show_nothing(target, shot):
    assert target.faults(shot, target.fire(shot)) == []


def test_a_hub_under_fire_goes_on_working(target):
    api = HfApi(endpoint=target.endpoint, token=target.authorization["writer"].removeprefix("Bearer "))
    api.create_repo("local/after")
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id="local/after")
