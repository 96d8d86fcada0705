"""The standard health service of gRPC servers (grpc.health.v1), asked without its generated code."""

from guardian_agent.errors import ProbeError
from guardian_agent.host import Answer, GrpcAnswer
from guardian_agent.host.dialling import dial
from guardian_agent.model import Endpoint

METHOD = "/grpc.health.v1.Health/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
# Each look makes a connection of its own, to that address, past whatever proxy the environment names.
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


async def check(endpoint: Endpoint, service: str, timeout_s: float) -> GrpcAnswer:
    """One health check, without TLS. Raises ProbeError when gRPC is not installed."""
    outcome = await dial(endpoint, timeout_s)
    if isinstance(outcome, Answer):
        return GrpcAnswer(answer=outcome)
    connection, dialled_s = outcome
    connection.close()
    answer = Answer(connected=True, elapsed_s=dialled_s)
    try:
        from grpc import aio  # 14 MB and eight threads, which only those pay who ask for them
    except ImportError as error:
        raise ProbeError("gRPC is not installed here: pip install 'guardian-fleet[agent]'") from error
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    async with aio.insecure_channel(f"{host}:{endpoint.port}", options=OPTIONS) as channel:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        try:
            said: bytes = await call(_request(service), timeout=timeout_s)
        except aio.AioRpcError as error:
            return GrpcAnswer(answer=answer, code=error.code().name, reason=error.details() or "")
    return GrpcAnswer(answer=answer, code="OK", serving=_status(said))


def _request(service: str) -> bytes:
    """HealthCheckRequest: field 1 is the name of the service."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _status(said: bytes) -> str:
    """HealthCheckResponse: field 1 is the status, and one that is not sent is 0."""
    number = said[1] if len(said) >= 2 and said[0] == 0x08 else 0
    return STATUSES[number] if number < len(STATUSES) else f"status {number}"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
