import asyncio
import contextlib

from tests.bed.waiting import until

from guardian_ctl.demo.watching import TIMEOUT_S, Outage, WatchingClient


def client_that_saw(*answers: tuple[float, bool]) -> WatchingClient:
    client = WatchingClient("http://127.0.0.1:1/")
    for asked, good in answers:
        client.note(asked, good, asked + 0.01)
    return client


def test_an_outage_goes_from_the_asking_of_the_first_bad_to_the_first_good_answer() -> None:
    client = client_that_saw((1.0, True), (2.0, False), (3.0, False), (4.0, True))
    assert client.outages == [Outage(2.0, 4.01)]


def test_what_was_never_good_has_no_outage() -> None:
    assert client_that_saw((1.0, False), (2.0, False)).outages == []


def test_an_outage_that_lasts_has_no_length() -> None:
    (outage,) = client_that_saw((1.0, True), (2.0, False)).outages
    assert outage.seconds is None


def test_of_a_fault_counts_what_began_with_it_and_all_that_followed() -> None:
    client = client_that_saw((1, True), (2, False), (3, True), (5.9, False), (6.2, True), (6.3, False), (7.0, True))
    assert client.outage_since(6.0) == Outage(5.9, 7.01)
    assert client.outage_since(6.3 + 2 * TIMEOUT_S) is None


async def test_it_asks_for_real() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = WatchingClient("http://{}:{}/".format(*server.sockets[0].getsockname()))
    asking = asyncio.create_task(client.run())

    async def good_since() -> float | None:
        return client.good_since

    async def outages() -> list[Outage]:
        return client.outages

    await until(good_since, "it is answered", within_s=10)
    server.close()
    await server.wait_closed()
    await until(outages, "it is not answered", within_s=10)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
