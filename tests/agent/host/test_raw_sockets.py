"""What wakes a raw socket, and what is asked before it is opened."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.packets import NoNeighboursError
from guardian_agent.host.raw_sockets import LOAD_BYTE, LOAD_HALF, closed_elsewhere, device, gather, let_in, own_macs


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    return ours, theirs


def test_only_what_meets_every_condition_is_let_in() -> None:
    ours, theirs = pair()
    with ours, theirs:
        let_in(ours, [(LOAD_BYTE, 0, 7), (LOAD_HALF, 2, 0x0102)])
        for message in (b"\x07\x00\x01\x03", b"\x08\x00\x01\x02", b"\x07", b"\x07\x00\x01\x02"):
            try:
                theirs.send(message)
            except PermissionError:  # a unix socket tells its sender that the filter refused it
                assert message != b"\x07\x00\x01\x02"
        assert ours.recv(9) == b"\x07\x00\x01\x02"
        with pytest.raises(BlockingIOError):
            ours.recv(9)


async def asked(answers: list[str | None], *, first_is_enough: bool, tries: int = 3) -> tuple[list[str], int, float]:
    """What was found, how often it was asked, and how long that took."""
    ours, theirs = pair()
    questions = 0
    began_s = asyncio.get_running_loop().time()

    def ask(number: int) -> None:
        nonlocal questions
        questions += 1
        if number < len(answers):
            theirs.send((answers[number] or "-").encode())

    def read() -> str | None:
        said = ours.recv(9).decode()
        return None if said == "-" else said

    with ours, theirs:
        found = await gather(ours, ask, read, 0.15, tries=tries, first_is_enough=first_is_enough)
    return found, questions, asyncio.get_running_loop().time() - began_s


async def test_the_first_answer_ends_it_or_the_whole_time_is_waited() -> None:
    found, questions, took_s = await asked(["a", "b"], first_is_enough=True)
    assert (found, questions) == (["a"], 1) and took_s < 0.05
    found, questions, took_s = await asked(["a", "b", "a"], first_is_enough=False)
    assert (found, questions) == (["a", "b"], 3) and 0.14 < took_s < 0.3


async def test_what_is_no_answer_is_waited_past_and_asked_again() -> None:
    found, questions, _ = await asked([None, "b"], first_is_enough=True)
    assert (found, questions) == (["b"], 2)


async def test_what_cannot_be_sent_or_heard_cannot_be_told() -> None:
    def refuses(*_: int) -> None:
        raise OSError(100, "Network is down")

    def speaks(_number: int) -> None:
        theirs.send(b"x")

    ours, theirs = pair()
    with ours, theirs:
        with pytest.raises(ProbeError, match="nobody could be asked: Network is down"):
            await gather(ours, refuses, lambda: None, 0.1, tries=1, first_is_enough=True)
        with pytest.raises(ProbeError, match="no answer can be heard: Network is down"):
            await gather(ours, speaks, refuses, 0.1, tries=1, first_is_enough=True)


async def flooded(read: Callable[[int], str | None], *, first_is_enough: bool) -> tuple[list[str], int]:
    """What was found in a flood of up to a million packets, and how many were read."""
    ours, theirs = pair()
    reads = 0

    def next_packet() -> str | None:
        nonlocal reads
        reads += 1
        if reads > 1_000_000:
            raise BlockingIOError
        return read(reads)

    with ours, theirs:
        theirs.send(b"there is always something to read")
        return await gather(ours, lambda _: None, next_packet, 0.15, tries=2, first_is_enough=first_is_enough), reads


async def test_of_a_flood_of_owners_a_few_are_enough() -> None:
    assert await flooded(str, first_is_enough=False) == ([str(number) for number in range(1, 9)], 8)
    assert await flooded(str, first_is_enough=True) == (["1"], 1)


@pytest.mark.parametrize(("says", "found"), [("the same", ["the same"]), (None, [])])
async def test_in_a_flood_that_says_nothing_new_the_time_limit_holds_and_others_have_their_turn(
    says: str | None, found: list[str]
) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    other = asyncio.create_task(take_turns())
    heard, reads = await flooded(lambda _: says, first_is_enough=False)
    other.cancel()
    assert heard == found and reads < 64 * 200 and turns >= 3


def test_a_link_without_neighbours_is_told_from_one_that_is_not_there() -> None:
    with pytest.raises(NoNeighboursError, match="lo"):
        device("lo")
    with pytest.raises(ProbeError, match="No such device") as caught:
        device("none0")
    assert not isinstance(caught.value, NoNeighboursError)


def test_the_loopbacks_empty_mac_is_among_ours() -> None:
    assert "00:00:00:00:00:00" in own_macs()


async def test_a_packet_socket_is_closed_without_holding_up_the_loop() -> None:
    ours, theirs = pair()
    with theirs:
        with closed_elsewhere(ours):
            assert ours.fileno() >= 0
        await asyncio.get_running_loop().shutdown_default_executor()
        assert ours.fileno() == -1
