import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_aggregator.api import make_application
from guardian_aggregator.api.limits import Allowance
from guardian_aggregator.config import HttpLimits


@given(st.lists(st.floats(0, 2), max_size=200), st.floats(0.1, 50))
def test_nobody_gets_more_than_the_rate_and_two_seconds_worth(pauses, per_second):
    allowance, now_s, taken = Allowance(per_second), 0.0, 0
    for pause_s in pauses:
        now_s += pause_s
        taken += allowance.take("a", now_s) == 0
        assert taken <= now_s * per_second + max(1.0, 2 * per_second) + 1e-6


@given(st.floats(0.1, 50))
def test_who_waits_as_long_as_told_is_let_in(per_second):
    allowance = Allowance(per_second)
    while not (wait_s := allowance.take("a", 0.0)):
        pass
    assert allowance.take("a", wait_s * 0.9) > 0
    assert allowance.take("a", wait_s * 1.001) == 0


def test_one_client_takes_nothing_from_another():
    allowance = Allowance(1.0)
    assert [allowance.take("a", 0.0) > 0 for _ in range(3)] == [False, False, True]
    assert allowance.take("b", 0.0) == 0


@pytest.fixture
async def limited(queries, aiohttp_client):
    limits = HttpLimits(requests_per_second=0.5, answer_within_s=0.05)
    return await aiohttp_client(make_application(queries, limits=limits))


async def test_who_asks_too_often_is_told_when_to_come_back(limited):
    assert (await limited.get("/api/guardian/incidents")).status == 200
    answer = await limited.get("/api/guardian/incidents")
    assert (answer.status, answer.content_type) == (429, "application/problem+json")
    assert answer.headers["Retry-After"] == "2"
    assert "0.5 requests a second" in (await answer.json())["detail"]
    assert (await limited.get("/healthz")).status == 200


async def test_an_answer_that_takes_too_long_is_given_up(limited, queries, monkeypatch):
    async def never(*_arguments):
        await asyncio.Event().wait()

    monkeypatch.setattr(queries, "incidents", never)
    answer = await limited.get("/api/guardian/incidents")
    assert answer.status == 503 and "longer than 0.05 s" in (await answer.json())["detail"]
