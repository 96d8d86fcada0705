"""A network namespace for one test."""

import asyncio
import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def new_network() -> Iterator[None]:
    """This thread, and those that it starts, are in a network namespace of their own, with a loopback that is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("needs root")
        try:
            subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0
    finally:
        os.close(before)


@pytest.fixture(name="own_network")
def in_own_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test is in a network namespace of its own, and what asyncio would do in other threads, which may be older
    than that, is done in its own thread."""

    async def at_once(function: Callable[..., object], *arguments: object) -> object:
        assert threading.current_thread() is threading.main_thread()
        return function(*arguments)

    with new_network():
        monkeypatch.setattr(asyncio, "to_thread", at_once)
        yield
