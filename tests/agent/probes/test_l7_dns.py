import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.errors import ProbeError
from guardian_agent.host import FileState, KnownGood, NameAnswer
from guardian_agent.model import Reading, Schedule
from guardian_agent.probes.base import PATH
from guardian_agent.probes.l7_dns import L7Dns, addresses_in, name_servers

SERVER, OTHER, HUB = "198.18.0.1", "198.18.0.3", "198.18.0.9"
SILENT = NameAnswer(reason="no answer within 2 s")
GARBAGE = "<html><body>Please log in.</body></html>\n"


async def look(host: FakeHost, **options: object) -> Reading:
    probe = L7Dns.for_host(Schedule(timeout_s=2.0))
    assert probe is not None
    return await msgspec.structs.replace(probe, **options).look(host)


async def sees(host: FakeHost, **options: object) -> str:
    reading = await look(host, **options)
    return "" if reading.ok else reading.issue_type or L7Dns.issue_types[0]


def found(*addresses: str) -> NameAnswer:
    return NameAnswer(code="NOERROR", addresses=addresses)


@pytest.mark.parametrize("code", ["NOERROR", "NXDOMAIN", "REFUSED"])
async def test_any_answer_shows_that_a_server_lives(code: str) -> None:
    host = FakeHost()
    host.clients.name_servers[SERVER] = NameAnswer(code=code)
    assert (await look(host)).evidence == {"asked_for": ".", "name_servers": {SERVER: code}}


@pytest.mark.parametrize("answer", [SILENT, NameAnswer(reason="Connection refused"), NameAnswer(code="SERVFAIL")])
async def test_a_server_that_does_not_answer_is_a_failure(answer: NameAnswer) -> None:
    host = FakeHost()
    host.clients.name_servers[SERVER] = answer
    assert await sees(host) == "dns_failure"


async def test_one_server_that_answers_is_enough_and_all_are_asked_at_once() -> None:
    host = FakeHost()
    host.files.contents["/etc/resolv.conf"] = f"nameserver {SERVER}\nnameserver {OTHER}\n"
    host.clients.name_servers[SERVER] = SILENT
    began_s = asyncio.get_running_loop().time()
    assert (await look(host)).evidence["name_servers"] == {SERVER: SILENT.reason, OTHER: "NOERROR"}
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(2.0)
    host.clients.name_servers[OTHER] = SILENT
    assert await sees(host) == "dns_failure"


async def test_garbage_in_place_of_servers_is_a_failure_where_there_were_some() -> None:
    host = FakeHost()
    host.files.contents["/etc/resolv.conf"] = GARBAGE
    with pytest.raises(ProbeError, match="none known from before"):
        await look(host)
    host.known.good = KnownGood(name_servers=(SERVER,))
    assert (await look(host)).evidence["good_name_servers"] == [SERVER]
    del host.files.contents["/etc/resolv.conf"]
    assert await sees(host) == "dns_failure"


async def test_a_link_is_followed_to_where_it_leads() -> None:
    host = FakeHost()
    link = FileState(
        kind="link", size_bytes=1, modified_wall_ns=0, mode=0o777, uid=0, inode=1, target="../run/resolve/stub.conf"
    )
    host.files.states["/etc/resolv.conf"] = link
    host.files.contents = {"/run/resolve/stub.conf": "nameserver 127.0.0.53\n"}
    assert (await look(host)).evidence["name_servers"] == {"127.0.0.53": "NOERROR"}


@pytest.mark.parametrize(
    ("hosts", "answer", "issue_type"),
    [
        ("", found(HUB), ""),
        ("", found("198.18.0.8", HUB), ""),
        ("", found("198.18.0.8"), "dns_wrong"),
        ("", NameAnswer(code="NXDOMAIN"), "dns_wrong"),
        (f"{HUB} hub HUB.bed # ours\n", SILENT, ""),
        ("198.18.255.253 hub.bed\n", found(HUB), "dns_wrong"),
        ("::1 hub.bed\n#198.18.255.253 hub.bed\n", found(HUB), ""),
    ],
)
async def test_a_name_has_the_address_that_it_must_have_by_the_file_first(
    hosts: str, answer: NameAnswer, issue_type: str
) -> None:
    host = FakeHost()
    host.files.contents["/etc/hosts"] = hosts
    host.clients.names["hub.bed"] = answer
    assert await sees(host, names={"hub.bed": HUB}) == issue_type


async def test_an_address_may_be_written_in_several_ways() -> None:
    host = FakeHost()
    host.clients.names["hub.bed"] = found("2001:db8::1")
    assert await sees(host, names={"hub.bed": "2001:DB8:0::1"}) == ""


async def test_a_name_that_nobody_can_tell_now_is_no_verdict() -> None:
    host = FakeHost()
    host.clients.names["hub.bed"] = NameAnswer(code="SERVFAIL")
    with pytest.raises(ProbeError, match=r"cannot tell what hub\.bed is: SERVFAIL"):
        await look(host, names={"hub.bed": HUB})


def test_only_addresses_are_name_servers_and_three_of_them() -> None:
    lines = ["# nameserver 1.1.1.1", "search bed", "nameserver", "nameserver here", "nameserver fe80::1%eth0"]
    lines += [f"nameserver 10.0.0.{number}" for number in range(5)]
    assert name_servers("\n".join(lines)) == ["fe80::1%eth0", "10.0.0.0", "10.0.0.1"]
    assert name_servers(GARBAGE) == []


def test_a_hosts_file_may_say_several_things_of_a_name() -> None:
    assert addresses_in("1.1.1.1 a b\n\n# x\n1.1.1.2 A # y\n") == {"a": ["1.1.1.1", "1.1.1.2"], "b": ["1.1.1.1"]}


def test_a_broken_path_accounts_for_silence_and_not_for_a_wrong_answer() -> None:
    assert (L7Dns().rests_on("dns_failure"), L7Dns().rests_on("dns_wrong")) == (PATH, ())
