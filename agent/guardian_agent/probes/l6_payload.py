"""Layer 6: can the component's page be decoded?"""

import codecs
import json
import zlib
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Page
from guardian_agent.host.aside import Aside
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

LONGEST_BYTES = 4 << 20  # of a page when it is decompressed; of a longer one, that much is looked at
IN_LOOP_BYTES = 16384  # decoding more than that would hold up others
JSON_ENDINGS = ("/json", "+json")
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
MOST_MEMBERS = 256  # of one gzip file; to look at each costs a copy of all that is behind it
# What is judged, by the decoder that browsers take for it (the Encoding Standard of WHATWG, as far as that is wider).
# No others: some of Python's take minutes for a page, and a thread that decodes cannot be stopped.
CHARSETS = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8-sig"),
    **{name: name for name in ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be")},
    **{name: name for name in ("us-ascii", "ascii", "latin-1", "latin1", "koi8-r", "koi8-u", "euc-jp", "gb18030")},
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **dict.fromkeys(("gbk", "gb2312"), "gb18030"),
    **dict.fromkeys(("shift-jis", "sjis"), "cp932"),
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
}


_decoding = Aside()  # one page of a component at a time, however long it takes


class BadPayloadError(ValueError):
    """What cannot be decoded in a page."""


class L6Payload(Probe, frozen=True, kw_only=True):
    """Failing while a page with a good status ends before its announced end, does not decompress, is not of the
    charset that it says, or says that it is JSON and is not.

    What a page says in a way that is not known here, an unusual charset included, is not judged; nor is a page with
    another status than 2xx.
    """

    layer: ClassVar = Layer.PRESENTATION
    comes_up_with: ClassVar = "l7_http"  # a page that is served is judged
    issue_types: ClassVar = ("payload_broken",)

    url: str
    expect_status: tuple[int, ...] = (200,)
    answer_within_s: float = 1.0

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        health = component.health
        if health is None or health.http is None:
            return None
        return cls(url=health.http, expect_status=health.expect_status, answer_within_s=schedule.timeout_s)

    def asks(self) -> str:
        return urlsplit(self.url).hostname or ""

    async def look(self, host: Host) -> Reading:
        page = await host.clients.page(self.url, self.answer_within_s)
        status = page.answer.status
        evidence: dict[str, Any] = {"url": self.url, "status": status, "size_bytes": len(page.body)}
        if status is None or page.answer.broken:
            raise ProbeError(f"no page at {self.url} to judge: {page.answer.broken or 'no answer'}")
        if not 200 <= status <= 299:
            if status not in self.expect_status:
                raise ProbeError(f"status {status} at {self.url}: no page to judge")
            return Reading(ok=True, evidence=evidence | {"judged": False})
        if not page.in_time:
            raise ProbeError(f"the page at {self.url} did not end within {self.answer_within_s:g} s")
        complaint = page.incomplete or await self._complaint(page)
        if complaint:
            return Reading(ok=False, evidence=evidence | {"reason": complaint})
        return Reading(ok=True, evidence=evidence)

    async def _complaint(self, page: Page) -> str:
        try:
            if len(page.body) > IN_LOOP_BYTES or "content-encoding" in page.headers:
                await _decoding.ask(self.url, lambda: decode(page))
            else:
                decode(page)
        except BadPayloadError as error:
            return str(error)
        return ""


def decode(page: Page) -> None:
    """Raises BadPayloadError."""
    data, cut = page.body, page.cut
    match page.headers.get("content-encoding", "identity").lower():
        case "gzip" | "x-gzip" | "deflate" as encoding:
            data, cut = _decompressed(data, cut, encoding)
        case "identity" | "":
            pass
        case _:
            return
    kind, charset = _content_type(page.headers.get("content-type", ""))
    is_json = kind.endswith(JSON_ENDINGS)
    text = _text(data, charset or ("utf-8" if is_json else None), cut)
    if is_json and text is not None and text.strip() and not cut:
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            raise BadPayloadError(f"not JSON: {error}") from error
        except (ValueError, RecursionError):
            return  # larger than what can be read here, which is not its fault


def _decompressed(data: bytes, cut: bool, encoding: str) -> tuple[bytes, bool]:
    if not data:
        return b"", cut  # said in advance, of nothing
    out = bytearray()
    decoder = zlib.decompressobj(GZIP_OR_ZLIB)
    if encoding == "deflate" and int.from_bytes(data[:2], "big") % 31:  # no header of zlib's (RFC 1950, 2.2)
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers send it so, and every browser takes it
    members = 0
    while data:
        members += 1
        if members > MOST_MEMBERS:
            return bytes(out), True
        try:
            out += decoder.decompress(data, LONGEST_BYTES - len(out))
        except zlib.error as error:
            raise BadPayloadError(f"not {encoding}: {error}") from error
        if len(out) >= LONGEST_BYTES:
            return bytes(out), True
        data = decoder.unused_data.lstrip(b"\0")
        if data:  # another member of the same file (RFC 1952, 2.2)
            decoder = zlib.decompressobj(GZIP_OR_ZLIB)
    if not decoder.eof and not cut:
        raise BadPayloadError(f"{encoding} that ends before its end, after {len(out)} bytes")
    return bytes(out), cut


def _content_type(header: str) -> tuple[str, str | None]:
    kind, *parameters = header.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip().strip("\"'") or None
    return kind.strip().lower(), None


def _text(data: bytes, charset: str | None, cut: bool) -> str | None:
    """The text; None where no charset is told, or one that is not known here."""
    if charset is None or (codec := CHARSETS.get(charset.lower().replace("_", "-"))) is None:
        return None
    try:
        return codecs.getincrementaldecoder(codec)().decode(data, final=not cut)
    except UnicodeDecodeError as error:
        raise BadPayloadError(f"not {charset}: {error.reason} at byte {error.start}") from error
    except UnicodeError:
        return None  # UTF-16 or UTF-32 that does not say which byte comes first
