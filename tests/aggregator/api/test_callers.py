"""Who may ask: with tokens, nobody who does not show one."""

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.aggregator.api.rows import NOW

from guardian_aggregator.access import Role, TokenFile
from guardian_aggregator.api import ENDPOINTS, make_application
from guardian_aggregator.api.callers import only_callers
from guardian_aggregator.api.problems import tell_problems

NOW_S = NOW // 10**9
OPEN = ("/healthz", "/readyz")


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path)


@pytest.fixture
async def guarded(queries, tokens, aiohttp_client):
    return await aiohttp_client(make_application(queries, now_ns=lambda: NOW, tokens=tokens))


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


PATHS = [each.path.replace("{id}", "x") for each in ENDPOINTS] + ["/metrics", "/openapi.json", "/nothing", "/"]


@pytest.mark.parametrize("path", [path for path in PATHS if path not in OPEN])
async def test_without_a_token_nothing_is_told_not_even_what_there_is(guarded, path):
    answer = await guarded.get(path)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="guardian"')
    assert answer.content_type == "application/problem+json" and "needs a token" in (await answer.json())["detail"]


@pytest.mark.parametrize("path", OPEN)
async def test_whether_it_lives_is_told_to_everybody(guarded, path):
    assert (await guarded.get(path)).status == 200


@pytest.mark.parametrize("role", Role)
async def test_whoever_shows_a_token_is_answered(guarded, tokens, role):
    shown = tokens.create("grafana", role, NOW_S, NOW_S + 60)
    for path in ("/api/guardian/stats", "/metrics", "/openapi.json"):
        assert (await guarded.get(path, headers=bearer(shown))).status == 200
    assert (await guarded.get("/nothing", headers=bearer(shown))).status == 404
    assert (await guarded.get("/api/guardian/stats", headers={"Authorization": f"bearer  {shown}"})).status == 200


async def test_a_token_that_is_revoked_expired_or_invented_is_refused(guarded, tokens):
    revoked = tokens.create("revoked", Role.ADMIN, NOW_S)
    tokens.revoke("revoked")
    expired = tokens.create("expired", Role.ADMIN, NOW_S - 60, NOW_S)
    for shown in (revoked, expired, "gdn_x", "", revoked.upper()):
        answer = await guarded.get("/api/guardian/stats", headers=bearer(shown))
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (
            401,
            'Bearer realm="guardian", error="invalid_token"',
        )


async def test_another_scheme_or_two_headers_are_refused(guarded, tokens):
    shown = tokens.create("a", Role.VIEWER, NOW_S)
    for headers in ([("Authorization", f"Basic {shown}")], [*bearer(shown).items(), *bearer(shown).items()]):
        answer = await guarded.get("/api/guardian/stats", headers=headers)
        assert answer.status == 401 and "one Authorization header" in (await answer.json())["detail"]


async def test_a_role_that_is_too_small_is_told_which_it_needs(tokens, aiohttp_client):
    async def answer(_request):
        return web.Response()

    application = web.Application(
        middlewares=[tell_problems, only_callers(tokens, {"/change": Role.OPERATOR}, lambda: NOW)]
    )
    application.router.add_get("/change", answer)
    client = await aiohttp_client(application)
    shown = {role: tokens.create(role.value, role, NOW_S) for role in Role}
    told = {role: await client.get("/change", headers=bearer(shown[role])) for role in Role}
    assert {role: each.status for role, each in told.items()} == {
        Role.VIEWER: 403,
        Role.OPERATOR: 200,
        Role.APPROVER: 200,
        Role.ADMIN: 200,
    }
    assert (await told[Role.VIEWER].json())["detail"] == "this needs the role operator, and viewer is a viewer"
    assert 'error="insufficient_scope", scope="operator"' in told[Role.VIEWER].headers["WWW-Authenticate"]


async def test_where_the_tokens_cannot_be_read_nobody_gets_in(guarded, tokens):
    tokens.path.write_text("{")
    answer = await guarded.get("/api/guardian/stats", headers=bearer(f"gdn_{'0' * 12}_{'x' * 43}"))
    assert answer.status == 503 and "the tokens cannot be read" in (await answer.json())["detail"]


async def test_the_description_says_what_needs_a_token(guarded, tokens):
    shown = tokens.create("a", Role.VIEWER, NOW_S)
    document = await (await guarded.get("/openapi.json", headers=bearer(shown))).json()
    OpenAPIV31SpecValidator(document).validate()
    assert {path for path, each in document["paths"].items() if "security" not in each["get"]} == set(OPEN)
    assert {"401", "403"} <= set(document["paths"]["/api/guardian/stats"]["get"]["responses"])
