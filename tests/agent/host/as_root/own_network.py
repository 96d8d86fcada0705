"""A network namespace for one test, with a loopback that is up."""

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

CLONE_NEWNET = 0x40000000


@pytest.fixture(name="own_network")
def in_own_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's thread is in a network namespace of its own, and what asyncio would do in other threads is done in
    it."""

    async def at_once(function: Callable[..., object], *arguments: object) -> object:
        assert threading.current_thread() is threading.main_thread()
        return function(*arguments)

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        pytest.skip("needs root")
    try:
        monkeypatch.setattr(asyncio, "to_thread", at_once)
        subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
        yield
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)
