import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, GrpcAnswer
from guardian_agent.model import Component, Endpoint, Health
from guardian_agent.probes.l7_grpc import L7Grpc

HERE = Endpoint("127.0.0.1", 50051)
SHOP = Component(name="shop", health=Health(grpc=Endpoint("0.0.0.0", 50051), grpc_service="shop"))
CONNECTED = Answer(connected=True)


@pytest.mark.parametrize(
    ("answer", "issue_type", "reason"),
    [
        (GrpcAnswer(answer=CONNECTED, code="OK", serving="NOT_SERVING"), "grpc_unhealthy", "NOT_SERVING"),
        (GrpcAnswer(answer=CONNECTED, code="NOT_FOUND", reason="no shop"), "grpc_unhealthy", "NOT_FOUND no shop"),
        (GrpcAnswer(answer=CONNECTED, code="DEADLINE_EXCEEDED"), "service_hung", "connected, and no answer within 1 s"),
        (GrpcAnswer(answer=Answer(connected=False, refused=True)), "connection_refused", "connection refused"),
        (GrpcAnswer(answer=Answer(connected=False)), "connection_timeout", "no connection within 1 s"),
    ],
)
async def test_each_answer_has_its_name_and_its_reason(answer: GrpcAnswer, issue_type: str, reason: str) -> None:
    host = FakeHost()
    assert await sees(L7Grpc, host, SHOP) == ""
    host.clients.health[HERE] = answer
    assert await sees(L7Grpc, host, SHOP) == issue_type
    assert (await look(L7Grpc, host, SHOP)).evidence["reason"] == reason


@pytest.mark.parametrize("code", ["UNIMPLEMENTED", "UNAUTHENTICATED"])
async def test_a_server_that_does_not_tell_is_no_verdict(code: str) -> None:
    host = FakeHost()
    host.clients.health[HERE] = GrpcAnswer(answer=CONNECTED, code=code)
    with pytest.raises(ProbeError, match="does not tell"):
        await look(L7Grpc, host, SHOP)


def test_it_asks_of_the_service_that_was_named() -> None:
    assert made(L7Grpc, SHOP) == L7Grpc(endpoint=HERE, service="shop")
