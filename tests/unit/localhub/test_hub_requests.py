"""Bodies of requests, without a server."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")

from starlette.requests import Request

from hubadapt.localhub import web
from hubadapt.localhub.refusals import Refusal


def read(receive, limit=100):
    return asyncio.run(web.whole_body(Request({"type": "http", "method": "POST"}, receive), limit))


async def never():
    await asyncio.Event().wait()


def test_a_body_of_which_nothing_more_arrives_is_given_up(monkeypatch):
    monkeypatch.setattr(web, "STALL", 0.001)
    with pytest.raises(Refusal) as error:
        read(never)
    assert error.value.status == 408


def test_a_body_without_end_is_refused_at_the_limit():
    async def more():
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    with pytest.raises(Refusal) as error:
        read(more)
    assert error.value.status == 413


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"[]", b"{", b"\xff", b'{"a": 1} 2'])
def test_what_is_no_json_object_is_refused(raw):
    with pytest.raises(Refusal) as error:
        web.parse_object(raw)
    assert error.value.status == 400
