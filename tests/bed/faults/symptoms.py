"""How clients notice faults. Each is one question, asked once, with a time limit of its own: is it broken?"""

import re
import time
from pathlib import Path

from tests.bed.faults.acts import filled_in
from tests.bed.faults.fault import Scene, Symptom
from tests.bed.host import Host

ASK_WITHIN_S = 1.0
CUSTOMER = Path(__file__).with_name("customer.py").read_text()


def _curl(url: str, within_s: float, *options: str) -> list[str]:
    return ["curl", "--silent", "--show-error", "--max-time", str(within_s), *options, url]


def no_page(
    url: str = "http://{host}/", *, says: str = "", within_s: float = ASK_WITHIN_S, options: tuple[str, ...] = ()
) -> Symptom:
    """The hub gets no 2xx from `url` in time, or a page in which the regular expression `says` is not found."""

    async def ask(scene: Scene) -> bool:
        argv = _curl(filled_in(scene, url), within_s, "--fail", *options)
        answer = await scene.hub.exec(*(filled_in(scene, word) for word in argv), timeout_s=within_s + 10)
        return not answer.ok or re.search(filled_in(scene, says), answer.out) is None

    return ask


def fails(*argv: str, on: str = "hub", says: str = "", timeout_s: float = 10.0) -> Symptom:
    """A command of a client fails, or nothing in its output is found by the regular expression `says`.

    `on`: where the client is: hub, host or other.
    """

    async def ask(scene: Scene) -> bool:
        machine: Host = {"hub": scene.hub, "host": scene.host, "other": scene.other}[on]
        answer = await machine.exec(*(filled_in(scene, word) for word in argv), timeout_s=timeout_s + 5)
        return not answer.ok or re.search(filled_in(scene, says), answer.out) is None

    return ask


# Asks a name server for an address; Debian's minimum has no program for that.
DNS_QUESTION = """
import socket, sys
server, name = sys.argv[1:]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(1)
asking.connect((server, 53))
asking.send(bytes.fromhex("beef 0100 0001 0000 0000 0000") + labels + bytes.fromhex("00 0001 0001"))
answer = asking.recv(512)
assert answer[3] & 15 == 0 and answer[7] > 0, answer
print(socket.inet_ntoa(answer[-4:]))
"""


def no_name(name: str, *, server: str = "{host}", says: str = "{host}") -> Symptom:
    """The hub gets no address for `name` from that name server, or another one than `says`."""
    return fails("/usr/bin/python3", "-I", "-c", DNS_QUESTION, server, name, says=f"^{says}$")


def clock_off(url: str, *, by_s: float) -> Symptom:
    """`url` tells a time that is off by more than that, or none."""

    async def ask(scene: Scene) -> bool:
        answer = await scene.hub.exec(*_curl(filled_in(scene, url), ASK_WITHIN_S, "--fail"))
        return not answer.ok or abs(float(answer.out) - time.time()) > by_s

    return ask


def complains(*argv: str) -> Symptom:
    """A client on the hub that minds what it gets (see customer.py) is not content."""
    return fails("python3", "-c", CUSTOMER, *argv)


def any_of(*symptoms: Symptom) -> Symptom:
    """At least one of them."""

    async def ask(scene: Scene) -> bool:
        return any([await symptom(scene) for symptom in symptoms])

    return ask
