import asyncio
import re
from collections import Counter

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

from guardian_aggregator.api import ENDPOINTS

IDS = {"hosts": "web-1", "incidents": "i2", "executions": "e3"}
SIX = ("stats", "healer/stats", "playbooks", "mttr/by-issue-type", "mttr/by-playbook", "failures/recent")


@pytest.fixture
async def document(get):
    return await get("/openapi.json")


def check(document, path, status, content_type, value):
    content = document["paths"][path]["get"]["responses"][str(status)]["content"]
    schema = content[content_type]["schema"] | {"components": document["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)


async def test_the_document_is_valid_openapi_3_1(document):
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


async def test_every_path_that_is_served_is_described(document, client):
    served = {resource.canonical for resource in client.app.router.resources()}
    assert set(document["paths"]) == served


async def test_the_six_endpoints_are_there(document):
    assert {f"/api/guardian/{each}" for each in SIX} <= set(document["paths"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
async def test_a_real_answer_keeps_to_its_own_schema(story, client, document, endpoint):
    path = re.sub(r"([a-z]+)/\{id\}", lambda found: f"{found[1]}/{IDS[found[1]]}", endpoint.path)
    response = await client.get(path)
    assert response.status == 200
    check(document, endpoint.path, 200, "application/json", await response.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
async def test_an_answer_of_an_empty_store_keeps_to_its_schema_too(client, document, endpoint):
    response = await client.get(endpoint.path.replace("{id}", "none"))
    check(document, endpoint.path, response.status, response.content_type, await response.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
async def test_a_refusal_keeps_to_its_schema(client, document, endpoint):
    response = await client.get(endpoint.path.replace("{id}", "none"), params={"surprise": "1"})
    check(document, endpoint.path, 400, "application/problem+json", await response.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
async def test_every_field_is_described_as_always_there(document, endpoint):
    schema = document["components"]["schemas"][endpoint.answer.__name__]
    assert set(schema["required"]) == set(schema["properties"])


async def test_schemathesis_finds_nothing(story, client, document):
    """Questions made up from the description: no error of ours, no answer outside its schema."""
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    wanted = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(client.make_url("/")))
    answered = Counter()

    def ask(operation):
        @given(case=operation.as_strategy())
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def one(case):
            if sum(answered.values()) % 2:  # made up, these are nearly always refused, and hide the rest
                for name in ("cursor", "from", "to"):
                    case.query.pop(name, None)
            response = case.call()
            answered[response.status_code] += 1
            case.validate_response(response, checks=wanted)

        one()

    for found in schema.get_all_operations():
        await asyncio.to_thread(ask, found.ok())
    assert answered[200] > 100
