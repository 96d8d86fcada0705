import asyncio
import gzip
import json
import threading
import time
import zlib
from contextlib import suppress

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import URL, WEB, nginx
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, Page
from guardian_agent.model import Component, Health
from guardian_agent.probes import l6_payload
from guardian_agent.probes.l6_payload import CHARSETS, LONGEST_BYTES, BadPayloadError, L6Payload, decode

JSON = {"content-type": "application/json; charset=utf-8"}
TEXT = '{"shop": "geöffnet"}'
BODY = TEXT.encode()
ZIPPED = gzip.compress(BODY * 100)
GZIP = {"content-encoding": "gzip", "content-type": "text/plain"}
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW.compress(BODY) + RAW.flush()


def host_with(headers: dict[str, str], body: bytes, status: int = 200, **more: object) -> FakeHost:
    host = FakeHost()
    answer = Answer(connected=True, status=status)
    host.clients.pages[URL] = Page(answer=answer, headers=headers, body=body, **more)  # type: ignore[arg-type]
    return host


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, BODY),
        (JSON, b"\xef\xbb\xbf" + BODY),
        (JSON, b"  \n"),
        (JSON, b"[NaN]"),
        (JSON, b"[" * 100_000 + b"]" * 100_000),
        ({"content-type": "application/problem+json"}, BODY),
        ({"content-type": "text/html; charset=ISO-8859-1"}, b"\xe9"),
        ({"content-type": 'text/html; charset="UTF-8"'}, BODY),
        ({"content-type": "text/html"}, b"\xff\xfe"),
        ({"content-type": "text/html; charset=klingon"}, b"\xff"),
        ({"content-type": "text/html; charset=hex"}, b"\xff"),
        ({"content-type": "text/html; charset=utf-7"}, b"\xff"),
        ({"content-type": "text/html; charset=Shift_JIS"}, "①".encode("cp932")),
        ({"content-type": "text/html; charset=gb2312"}, "囍".encode("gbk")),
        ({"content-type": "text/html; charset=punycode"}, b"a-" + b"a" * 250_000),
        (GZIP, gzip.compress(b"") * 50_000),
        ({}, b"\xff"),
        ({**GZIP, **JSON}, gzip.compress(BODY)),
        (GZIP, gzip.compress(b"a") + gzip.compress(b"b")),
        (GZIP, gzip.compress(b"a") + bytes(512)),
        (GZIP, b""),
        (GZIP, gzip.compress(bytes(LONGEST_BYTES + 1))),
        ({"content-encoding": "deflate"}, zlib.compress(BODY)),
        ({"content-encoding": "deflate"}, RAW_DEFLATED),
        ({"content-encoding": "br", **JSON}, b"\x00\x01"),
    ],
)
async def test_what_a_client_can_read_is_good(headers: dict[str, str], body: bytes) -> None:
    assert await sees(L6Payload, host_with(headers, body)) == ""


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (JSON, BODY[:-1], "not JSON"),
        (JSON, b"<html>", "not JSON"),
        (JSON, TEXT.encode("latin-1"), "not utf-8: invalid"),
        ({"content-type": "text/plain; charset=us-ascii"}, BODY, "not us-ascii"),
        ({"content-type": "text/plain; charset=EUC-KR"}, b"\xff\xff", "not EUC-KR"),
        (GZIP, ZIPPED[:-12], "gzip that ends before its end"),
        (GZIP, BODY, "not gzip"),
        (GZIP, ZIPPED[:-8] + b"\0" * 8, "not gzip"),
        (GZIP, gzip.compress(b"a") + gzip.compress(b"b")[:-9], "gzip that ends"),
        ({"content-encoding": "deflate"}, zlib.compress(BODY)[:-6], "deflate that ends"),
    ],
)
async def test_what_no_client_can_read_is_broken(headers: dict[str, str], body: bytes, reason: str) -> None:
    reading = await look(L6Payload, host_with(headers, body))
    assert not reading.ok and reading.evidence["reason"].startswith(reason)


async def test_what_ends_before_its_end_is_broken() -> None:
    reading = await look(L6Payload, host_with(JSON, BODY, incomplete="ended after 21 of 121 bytes"))
    assert reading.evidence["reason"] == "ended after 21 of 121 bytes"


@pytest.mark.parametrize(("headers", "body"), [(JSON, BODY[:-8]), (GZIP, ZIPPED[:20])])
async def test_what_is_too_long_is_judged_by_its_beginning(headers: dict[str, str], body: bytes) -> None:
    assert await sees(L6Payload, host_with(headers, body, cut=True)) == ""
    assert await sees(L6Payload, host_with(JSON, b"\xff" + body, cut=True)) == "payload_broken"


@pytest.mark.parametrize("charset", CHARSETS)
def test_every_charset_that_is_judged_takes_no_longer_than_its_length_explains(charset: str) -> None:
    headers = {"content-type": f"text/plain; charset={charset}"}
    began_s = time.perf_counter()
    with suppress(BadPayloadError):
        decode(Page(answer=Answer(connected=True, status=200), headers=headers, body=b"a-aa" * (1 << 20)))
    assert time.perf_counter() - began_s < 2


async def test_a_long_page_is_decoded_elsewhere() -> None:
    assert await sees(L6Payload, host_with(JSON, json.dumps(list(range(10_000))).encode())) == ""


async def test_no_page_is_decoded_while_an_earlier_one_of_the_component_still_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end, entered, begun = threading.Event(), threading.Event(), list[Page]()

    def takes_for_ever(page: Page) -> None:
        begun.append(page)
        entered.set()
        end.wait()

    monkeypatch.setattr(l6_payload, "decode", takes_for_ever)
    host = host_with(GZIP, ZIPPED)
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(look(L6Payload, host), 0.02)
        assert entered.wait(10)  # its thread keeps real time
        assert len(begun) == 1
    finally:
        end.set()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (Page(answer=Answer(connected=True, status=503)), "status 503"),
        (Page(answer=Answer(connected=True, status=200), in_time=False), "did not end within 1 s"),
        (Page(answer=Answer(connected=True, broken="not HTTP")), "not HTTP"),
        (Page(answer=Answer(connected=False, refused=True)), "no answer"),
    ],
)
async def test_without_a_page_there_is_nothing_to_judge(page: Page, says: str) -> None:
    host = FakeHost()
    host.clients.pages[URL] = page
    with pytest.raises(ProbeError, match=says):
        await look(L6Payload, host)


async def test_an_expected_status_without_a_page_is_good() -> None:
    moved = Component(name="web", health=Health(http=URL, expect_status=(301,)))
    host = FakeHost()
    nginx(host).status = 301
    assert (await look(L6Payload, host, moved)).evidence["judged"] is False
    assert made(L6Payload, WEB).rests_on("payload_broken")
