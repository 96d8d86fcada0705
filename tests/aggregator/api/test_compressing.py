import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.aggregator.api.rows import NOW

from guardian_aggregator.api import make_application
from guardian_aggregator.api.compressing import LEAST_BYTES, takes_gzip


@pytest.fixture
async def raw(queries, aiohttp_client):
    return await aiohttp_client(make_application(queries, now_ns=lambda: NOW), auto_decompress=False)


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/api/guardian/stats"])
async def test_a_client_that_takes_gzip_gets_the_same_smaller(raw, path):
    plain = await raw.get(path, headers={"Accept-Encoding": "identity"})
    small = await raw.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    whole, packed = await plain.read(), await small.read()
    assert len(whole) >= LEAST_BYTES and len(packed) < len(whole) / 2
    assert (plain.headers.get("Content-Encoding"), small.headers["Content-Encoding"]) == (None, "gzip")
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
    if path != "/metrics":  # which counts this very request
        assert json.loads(gzip.decompress(packed)) == json.loads(whole)


async def test_what_is_small_is_sent_as_it_is(raw):
    answer = await raw.get("/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers and await answer.json() == {"status": "ok"}


async def test_head_says_what_get_would_and_sends_nothing(raw):
    answer = await raw.head("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip" and await answer.read() == b""


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip ; q=0.001", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=much", False),
    ],
)
def test_what_a_client_says_of_gzip_holds(accepted, takes):
    assert takes_gzip(accepted) is takes


@given(st.text())
def test_whatever_the_header_says_there_is_an_answer(accepted):
    assert takes_gzip(accepted) in (True, False)
