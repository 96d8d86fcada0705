import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import URL, nginx

from guardian_agent.detection.looking import OVERRUN_S, look_once
from guardian_agent.errors import CannotLookError, ProbeError
from guardian_agent.host import Answer
from guardian_agent.probes.l7_http import L7Http

PROBE = L7Http(url=URL)


async def test_a_look_that_can_tell_has_a_reading() -> None:
    host = FakeHost()
    nginx(host)
    look = await look_once(host, PROBE, 1.0)
    assert (look.ok, look.unknown, look.bug) == (True, "", None)


@pytest.mark.parametrize(
    ("raised", "words", "cannot", "is_a_bug"),
    [
        (ProbeError("no way to tell"), "no way to tell", False, False),
        (CannotLookError("cannot start it"), "cannot start it", True, False),
        (LookupError("oh"), "the probe is broken", True, True),
    ],
)
async def test_whatever_is_raised_is_unknown(raised: Exception, words: str, cannot: bool, is_a_bug: bool) -> None:
    host = FakeHost()
    host.sockets.answers[URL] = raised
    look = await look_once(host, PROBE, 1.0)
    assert (look.ok, look.cannot, look.bug is not None) == (None, cannot, is_a_bug)
    assert look.unknown.startswith(words)


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()

    async def never(url: str, timeout_s: float) -> Answer:
        await asyncio.Event().wait()
        return Answer(connected=False)

    monkeypatch.setattr(host.sockets, "http_get", never)
    began_s = asyncio.get_running_loop().time()
    look = await look_once(host, PROBE, 0.5)
    assert look.unknown == "the look did not end within 1.5 s"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.5 + OVERRUN_S)
