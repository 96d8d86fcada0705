from email.utils import formatdate

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import URL, WEB, nginx
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Page
from guardian_agent.model import Component, Health, Schedule
from guardian_agent.probes.l7_date import L7Date

A_MONTH_S = 30 * 86400
LATER = "Sun, 14 Feb 2027 08:00:00 GMT"


def host_saying(**headers: str) -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.clients.pages[URL] = Page(answer=Answer(connected=True, status=200), headers=headers)
    return host


def host_off_by(seconds: float) -> FakeHost:
    now_s = FakeHost().clock.now().wall_ns / 1e9
    return host_saying(date=formatdate(now_s + seconds, usegmt=True))


async def test_a_page_of_another_month_is_that_of_a_service_with_another_clock() -> None:
    reading = await look(L7Date, host_off_by(A_MONTH_S))
    assert not reading.ok and reading.evidence["offset_s"] == pytest.approx(A_MONTH_S, abs=3)
    assert await sees(L7Date, host_off_by(-A_MONTH_S)) == "clock_offset"


@pytest.mark.parametrize("seconds", [-55.0, 0.0, 55.0])
async def test_a_little_late_is_no_other_clock(seconds: float) -> None:
    assert await sees(L7Date, host_off_by(seconds)) == ""


@pytest.mark.parametrize(
    "headers", [{}, {"date": LATER, "age": "0"}, {"date": "yesterday"}, {"date": "Fri, 99 Jan 99999 1 GMT"}]
)
async def test_what_does_not_tell_the_time_is_not_judged(headers: dict[str, str]) -> None:
    reading = await look(L7Date, host_saying(**headers))
    assert reading.ok and reading.evidence["judged"] is False


async def test_no_answer_is_no_verdict() -> None:
    host = FakeHost()
    nginx(host).go_down()
    with pytest.raises(ProbeError):
        await made(L7Date).look(host)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1/", True),
        ("http://[::1]:8080/", True),
        ("http://localhost/", True),
        ("http://10.0.0.5/", False),
        ("http://web.example/", False),
    ],
)
def test_only_this_host_is_asked(url: str, asked: bool) -> None:
    component = Component(name="web", unit=WEB.unit, health=Health(http=url))
    assert (L7Date.for_component(component, Schedule()) is not None) is asked
