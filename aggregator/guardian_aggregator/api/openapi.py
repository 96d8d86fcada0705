"""The API's description, made of the endpoints themselves."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from guardian_aggregator.api.endpoints import Endpoint
from guardian_aggregator.api.parameters import Parameter
from guardian_aggregator.api.problems import PROBLEM_TYPE, ProblemDetails

API_VERSION = "1.0.0"
_SCHEME = "token"
_REFERENCE = "#/components/schemas/{name}"

Json = dict[str, Any]

_ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_UNCHANGED: Json = {"description": "As the client has it: it named the answer's ETag in If-None-Match."}


def describe(endpoints: Sequence[Endpoint], texts: Sequence[tuple[str, str, str]], *, tokens: bool) -> Json:
    """An OpenAPI 3.1 document of the endpoints, and of (path, summary, content type) that answer no struct. `tokens`:
    whether who asks must show one."""
    answers = [each.answer for each in endpoints]
    references, schemas = msgspec.json.schema_components([*answers, ProblemDetails], ref_template=_REFERENCE)
    problem = references[-1]
    paths = {
        each.path: {"get": _operation(each, reference, problem)}
        for each, reference in zip(endpoints, references, strict=False)
    }
    for path, summary, content_type in texts:
        paths[path] = {"get": _text_operation(path, summary, content_type, problem)}
    components: Json = {"schemas": dict(sorted(schemas.items()))}
    if tokens:
        components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
        everybody = {each.path for each in endpoints if each.role is None}
        for path in paths.keys() - everybody:
            paths[path]["get"]["security"] = [{_SCHEME: []}]
            paths[path]["get"]["responses"] |= _problems((HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN), problem)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Guardian",
            "version": API_VERSION,
            "description": "Times are RFC 3339 in UTC, durations seconds, ratios 0 to 1; null where there is nothing.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def _operation(endpoint: Endpoint, answer: Json, problem: Json) -> Json:
    told = [*_ALWAYS, *([] if endpoint.role is None else [HTTPStatus.TOO_MANY_REQUESTS])]
    if any(parameter.where == "path" for parameter in endpoint.parameters):
        told.append(HTTPStatus.NOT_FOUND)
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": {"200": _response(HTTPStatus.OK, "application/json", answer), "304": _UNCHANGED}
        | _problems(told, problem),
    }
    if endpoint.parameters:
        operation["parameters"] = [_parameter(each) for each in endpoint.parameters]
    return operation


def _text_operation(path: str, summary: str, content_type: str, problem: Json) -> Json:
    schema: Json = {"type": "object" if content_type == "application/json" else "string"}
    told = (*_ALWAYS, HTTPStatus.TOO_MANY_REQUESTS)
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": summary,
        "responses": {"200": _response(HTTPStatus.OK, content_type, schema)}
        | ({"304": _UNCHANGED} if content_type == "application/json" else {})
        | _problems(told, problem),
    }


def _parameter(parameter: Parameter) -> Json:
    told: Json = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.schema.get("type") == "object":
        told |= {"style": "form", "explode": True}  # each property becomes a parameter of its own name
    return told


def _problems(statuses: Sequence[HTTPStatus], problem: Json) -> Json:
    return {str(status.value): _response(status, PROBLEM_TYPE, problem) for status in statuses}


def _response(status: HTTPStatus, content_type: str, schema: Json) -> Json:
    return {"description": status.phrase, "content": {content_type: {"schema": schema}}}
