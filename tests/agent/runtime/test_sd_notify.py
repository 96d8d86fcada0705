import asyncio
import contextlib
import os
import socket
import time

import pytest

from guardian_agent.runtime.sd_notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """The receiving end, as systemd has it; `address` is what NOTIFY_SOCKET would say."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    address = str(tmp_path / "notify") if request.param == "path" else f"@guardian-test-{os.getpid()}-{time.time_ns()}"
    receiver.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
    yield receiver, address
    receiver.close()


@pytest.fixture
def notifier(systemd):
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": systemd[1], "WATCHDOG_USEC": "30000"})
    yield notifier
    notifier.close()


def received(systemd) -> str:
    return systemd[0].recv(4096).decode()


def test_each_word_of_the_protocol_is_as_systemd_reads_it(systemd, notifier):
    notifier.ready("watching 2 components")
    assert received(systemd) == "READY=1\nSTATUS=watching 2 components"
    notifier.ready()
    assert received(systemd) == "READY=1"
    notifier.status("two\nREADY=1 lines")
    assert received(systemd) == "STATUS=two READY=1 lines"
    notifier.alive()
    assert received(systemd) == "WATCHDOG=1"
    notifier.stopping()
    assert received(systemd) == "STOPPING=1"


def test_a_reload_carries_the_monotonic_time_in_microseconds(systemd, notifier):
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    reloading, monotonic = received(systemd).split("\n")
    assert reloading == "RELOADING=1"
    assert before <= int(monotonic.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_outside_a_service_nothing_is_said_and_nothing_watched():
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"})
    notifier.ready("nobody hears")
    assert notifier.watchdog_s is None


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_when_systemd_says_so(environment, watchdog_s):
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/x", **environment}).watchdog_s == watchdog_s


def test_a_systemd_that_does_not_listen_is_a_line_in_the_log_and_no_failure(tmp_path, caplog):
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.close()
    assert "systemd was not told READY=1: " in caplog.text


async def signs_of_life(systemd, notifier, advance: bool) -> int:
    """How often it said that it lives while it asked five times whether work advanced."""
    stopping, asked = asyncio.Event(), 0

    def progress() -> int:
        nonlocal asked
        asked += 1
        if asked == 5:
            stopping.set()
        return asked if advance else 7

    await notifier.keep_alive(progress, stopping)
    said = 0
    with contextlib.suppress(BlockingIOError):
        while received(systemd) == "WATCHDOG=1":
            said += 1
    return said


async def test_it_says_that_it_lives_while_work_advances(systemd, notifier):
    assert await signs_of_life(systemd, notifier, advance=True) == 4


async def test_it_says_so_once_and_no_more_when_work_stands_still(systemd, notifier):
    assert await signs_of_life(systemd, notifier, advance=False) == 1


async def test_without_a_watchdog_it_only_waits_to_be_stopped():
    stopping = asyncio.Event()
    stopping.set()
    await Notifier().keep_alive(lambda: 1 // 0, stopping)
