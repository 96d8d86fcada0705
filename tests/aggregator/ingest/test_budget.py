"""Bytes shared out in turn, and never more than there are."""

import asyncio

import pytest

from guardian_aggregator.ingest.budget import ByteBudget


async def test_whoever_asks_for_more_than_is_left_waits_and_so_do_those_behind():
    budget = ByteBudget(10)
    first, second, third = (budget.share() for _ in range(3))
    await first.hold(6)
    large, small = asyncio.ensure_future(second.hold(5)), asyncio.ensure_future(third.hold(1))
    await asyncio.sleep(0)
    assert (large.done(), small.done(), budget.held) == (False, False, 6)
    await first.hold(5)
    await asyncio.gather(large, asyncio.sleep(0))
    assert (small.done(), budget.held) == (False, 10)
    first.release()
    await small
    assert budget.held == 6


async def test_more_than_all_is_all():
    budget = ByteBudget(10)
    await budget.share().hold(99)
    assert budget.held == 10


@pytest.mark.parametrize("granted", [False, True])
async def test_one_that_goes_while_it_waits_leaves_nothing_behind(granted):
    budget = ByteBudget(10)
    first, second, third = (budget.share() for _ in range(3))
    await first.hold(6)
    waiting, behind = asyncio.ensure_future(second.hold(9)), asyncio.ensure_future(third.hold(4))
    await asyncio.sleep(0)
    if granted:
        first.release()
    waiting.cancel()
    await asyncio.wait_for(behind, 1)
    third.release()
    first.release()
    assert budget.held == 0


async def test_one_that_grows_never_waits_with_bytes_in_its_hands():
    budget = ByteBudget(10)
    shares = [budget.share() for _ in range(2)]
    for share in shares:
        await share.hold(5)
    growing = [asyncio.ensure_future(share.hold(8)) for share in shares]
    for grown, share in zip(growing, shares, strict=True):
        await asyncio.wait_for(grown, 1)
        share.release()
    assert budget.held == 0
