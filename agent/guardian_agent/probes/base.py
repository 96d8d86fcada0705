"""The contract of a probe."""

from collections.abc import Iterable
from typing import ClassVar, Self

import msgspec

from guardian_agent.host import Host
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule

# The host's own probes of layers 1 to 3: what fails there accounts for whatever crosses the network.
PATH = (
    "l1_carrier",
    "l1_errors",
    "l1_loss",
    "l2_neighbour",
    "l2_gateway_mac",
    "l2_duplicate_address",
    "l2_mtu",
    "l3_addresses",
    "l3_default_route",
    "l3_routes",
    "l3_gateway",
    "l3_upstream",
    "l3_path_mtu",
)
# Of those, what accounts only for an answer that does not come in time: it loses packets, or sends them elsewhere.
TIMEOUT_ONLY = ("l1_errors", "l2_gateway_mac", "l2_duplicate_address", "l2_mtu")
TIMEOUTS = (
    *("connection_timeout", "service_hung", "gateway_unreachable", "upstream_unreachable", "path_mtu", "dns_failure"),
)
ANSWERED = ("http_error", "grpc_unhealthy", "payload_broken")  # an answer came, so the way was there
# What one of this host's own addresses rests on: packets to it go by `lo`, and only losing the address is felt.
OWN_ADDRESS = ("l1_carrier", "l3_addresses")
NAMES = ("l7_dns",)
RESOURCES = ("host_disk", "host_memory", "host_cpu", "host_io")
# What a host that is short of something does to whoever waits for an answer; what has crashed is not one of these.
SLOWNESS = ("service_hung", "connection_timeout", "http_error", "heartbeat_lost", "tls_failed", "payload_broken")

LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}
# What answers there are asked for within this host, and cross no network.
LOOPBACK_NAMES = ("localhost", "0.0.0.0", "::", "::1")


def crosses_network(host_name: str) -> bool:
    """Whether what is sent to that name or address leaves this host, as far as that can be told by it."""
    return host_name not in LOOPBACK_NAMES and not host_name.startswith("127.")


def reachable(endpoint: Endpoint) -> Endpoint:
    """Where an endpoint is asked: one on a wildcard address, on loopback."""
    return Endpoint(LOOPBACK_OF_WILDCARD.get(endpoint.host, endpoint.host), endpoint.port)


def is_name(host_name: str) -> bool:
    """Whether it has to be looked up: it is no address."""
    return ":" not in host_name and not host_name.replace(".", "").isdecimal()


def below_a_question(host_name: str, issue_type: str) -> tuple[str, ...]:
    """What accounts for `issue_type` in a look that asks something of `host_name` by TCP."""
    below = RESOURCES if issue_type in SLOWNESS else ()
    if crosses_network(host_name):
        below = (*path_below(issue_type), *(NAMES if is_name(host_name) else ()), *below)
    return below


def path_below(issue_type: str) -> tuple[str, ...]:
    """What of the path accounts for `issue_type` in a look that asks something of another host."""
    if issue_type in ANSWERED:
        return ()
    return PATH if issue_type in TIMEOUTS else tuple(probe for probe in PATH if probe not in TIMEOUT_ONLY)


def below_an_own_address(below: Iterable[str]) -> set[str]:
    """What is left of the ground of a look when what it asks is one of this host's own addresses."""
    return {probe for probe in below if probe not in PATH or probe in OWN_ADDRESS}


HOST_TARGET = "host:"


def is_host_target(target: str) -> bool:
    """Whether an incident's target is part of the host itself, and neither a component nor a remote endpoint."""
    return target.startswith(HOST_TARGET)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One question about one layer, of the host itself or of each component. A probe is a struct: its fields are its
    configuration.

    The id is the file's name. Intervals, limits, streaks and logging belong to the scheduler.
    """

    layer: ClassVar[Layer]
    issue_types: ClassVar[tuple[str, ...]]  # all that a bad reading may say; the first is the default
    schedule: ClassVar[Schedule] = Schedule()
    reads_kernel_state: ClassVar[bool] = False  # then a look costs microseconds, and confirming looks come every 5 ms
    lingers: ClassVar[bool] = False  # a look takes seconds even when all is good: no decision waits for one
    comes_up_with: ClassVar[str] = ""  # after a start: the id of the probe by which it has come up, too
    options: ClassVar[tuple[str, ...]] = ()  # the fields that an operator may set in [probes.ID]

    @classmethod
    def probe_id(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def host_target(cls) -> str:
        """What an incident is about that this probe opens when it is asked about the host itself."""
        return f"{HOST_TARGET}{cls.probe_id().partition('_')[2]}"

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        """This probe as it asks about `component`, or None when the component declares nothing it could ask about."""
        return None

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        """This probe as it asks about the host itself, or None when it is about components only."""
        return None

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        """The ids of the host's own probes whose failing accounts for this one's, when it fails as `issue_type`.

        As a rule what lies below a question to whom it `asks`. Nothing accounts for what asks nobody and reads only
        this host's own state: a dead process is dead whatever the link does.
        """
        return below_a_question(self.asks(), issue_type) if self.asks() else ()

    def asks(self) -> str:
        """The name or address of whom it asks something over the network; empty: nobody, or not just one."""
        return ""

    def remembers_s(self) -> float:
        """For how many seconds after a start of the component a good look may tell of the time before it."""
        return 0.0

    async def look(self, host: Host) -> Reading:
        """Looks once; changes nothing.

        Raises:
            ProbeError: it cannot tell; the reading is then unknown.
        """
        raise TypeError(f"{type(self).__name__} has no look for {host}")
