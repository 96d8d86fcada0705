"""Layer 7: does the component live in the same time as its host?"""

import ipaddress
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L7Date(Probe, frozen=True, kw_only=True):
    """Failing while the `Date` of the component's page is far from the time of day of this host.

    A process can lose the time that its host has: one that keeps it itself and was stopped for long, or that was
    started with another. Not judged are pages without a `Date`, those out of a cache (`Age`, RFC 9111), and what is
    asked at another host, whose clock is its own.
    """

    layer: ClassVar = Layer.APPLICATION
    comes_up_with: ClassVar = "l7_http"  # a page that is served is judged
    issue_types: ClassVar = ("clock_offset",)
    schedule: ClassVar = Schedule(interval_s=10.0, confirm_interval_s=0.5)
    options: ClassVar = ("most_offset_s",)

    url: str
    answer_within_s: float = 1.0
    most_offset_s: Annotated[float, msgspec.Meta(ge=5)] = 60.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        health = component.health
        if health is None or health.http is None or not _is_loopback(urlsplit(health.http).hostname or ""):
            return None
        return cls(url=health.http, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return urlsplit(self.url).hostname or ""

    async def look(self, host: Host) -> Reading:
        page = await host.clients.page(self.url, self.answer_within_s)
        now = host.clock.now()
        if page.answer.status is None:
            raise ProbeError(f"no page at {self.url} to judge: {page.answer.broken or 'no answer'}")
        evidence: dict[str, Any] = {"url": self.url}
        said = page.headers.get("date")
        if said is None or "age" in page.headers:
            return Reading(ok=True, evidence=evidence | {"judged": False})
        try:
            offset_s = parsedate_to_datetime(said).timestamp() - now.wall_ns / 1e9
        except (ValueError, OverflowError):  # no date at all: no clock that is wrong
            return Reading(ok=True, evidence=evidence | {"judged": False})
        return Reading(ok=abs(offset_s) <= self.most_offset_s, evidence=evidence | {"offset_s": round(offset_s)})


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
