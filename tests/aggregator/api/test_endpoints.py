import asyncio
import json
import re
from pathlib import Path

import pytest

from guardian_aggregator.api import ENDPOINTS

PATHS = [each.path for each in ENDPOINTS] + ["/metrics", "/openapi.json"]
IDS = {"hosts": "web-1", "incidents": "i2", "executions": "e1"}


def real(path):
    """The path with the id of something that is in the story."""
    return path.replace("{id}", IDS.get(path.split("/")[3], "") if "{id}" in path else "")


@pytest.mark.parametrize("path", PATHS)
async def test_head_answers_what_get_does_without_the_body(story, client, path):
    got = await client.get(real(path))
    head = await client.head(real(path))
    assert (got.status, head.status) == (200, 200)
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert await head.read() == b""


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/api/guardian/stats?surprise=1"])
async def test_every_answer_keeps_out_of_caches_and_is_not_sniffed(story, client, path):
    response = await client.get(real(path) if "{id}" in path else path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] in {"private, no-cache", "no-store"}


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
async def test_a_request_that_does_not_name_one_host_is_refused(client, hosts):
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /healthz HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert b" 400 " in (await reader.read()).partition(b"\r\n")[0]
    writer.close()
    await writer.wait_closed()


def test_every_endpoint_says_in_one_line_what_it_answers():
    for endpoint in ENDPOINTS:
        assert endpoint.summary.endswith(".")


def test_no_path_and_no_name_is_given_twice():
    assert len({each.path for each in ENDPOINTS}) == len({each.name for each in ENDPOINTS}) == len(ENDPOINTS)


async def test_no_page_is_longer_than_its_limit(story, get):
    for path, name in [
        ("incidents", "incidents"),
        ("executions", "executions"),
        ("hosts", "hosts"),
        ("playbooks", "playbooks"),
        ("osi", "layers"),
        ("failures/recent", "failures"),
        ("mttr/by-issue-type", "issue_types"),
        ("mttr/by-playbook", "playbooks"),
    ]:
        assert len((await get(f"/api/guardian/{path}", limit=1))[name]) == 1


TEXT = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```\nGET (\S+)\n```\n```json\n(.*?)```", TEXT, re.DOTALL)


def holds(whole, part):
    """Whether `part` is `whole` with fields, and rows at its end, left out."""
    if isinstance(part, dict):
        return all(name in whole and holds(whole[name], value) for name, value in part.items())
    if isinstance(part, list):
        return len(part) <= len(whole) and all(map(holds, whole, part))
    return whole == part


@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
async def test_a_documented_example_is_what_is_answered(story, client, path, example):
    response = await client.get(path)
    assert holds(await response.json(), json.loads(example))


def test_every_endpoint_has_an_example():
    shown = {re.sub(r"/(web-1|i2|e3)$", "/{id}", path.partition("?")[0]) for path, _ in EXAMPLES}
    assert shown == {each.path for each in ENDPOINTS}
