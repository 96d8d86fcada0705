"""Connections over which nothing is said: do they live?"""

import asyncio
import socket
import struct
import time

from guardian_agent.host import Answer, Held
from guardian_agent.host.dialling import dial, reason
from guardian_agent.model import Endpoint

READ_BYTES = 65536
MOST_READS = 16  # of what a server says unasked; one that says more is in no need of being asked
UNANSWERED = struct.Struct("=3xB")  # tcpi_probes in struct tcp_info: keep-alive packets since the last answer
KEEP_ALIVE_AFTER_S = 1  # the kernel counts in whole seconds


async def hold(endpoint: Endpoint, connect_within_s: float, hold_s: float) -> Held:
    """A connection that is held, and asked by the kernel after 1 s whether it lives (RFC 9293, 3.8.4).

    Raises:
        ProbeError: it is this process that lacks descriptors or memory.
    """
    outcome = await dial(endpoint, connect_within_s)
    if isinstance(outcome, Answer):
        return Held(answer=outcome)
    connection, dialled_s = outcome
    answer = Answer(connected=True, elapsed_s=dialled_s)
    began_s = time.monotonic()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_AFTER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_AFTER_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            async with asyncio.timeout(hold_s):
                for _ in range(MOST_READS):
                    if not await asyncio.get_running_loop().sock_recv(connection, READ_BYTES):
                        return Held(answer=answer, not_held="the server ends a connection over which nothing is said")
                return Held(answer=answer, not_held="the server talks by itself")
        except TimeoutError:
            pass
        except OSError as error:
            return Held(answer=answer, broken=reason(error), held_s=time.monotonic() - began_s)
        unanswered = UNANSWERED.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, UNANSWERED.size))[0]
    broken = f"{unanswered} keep-alive packets without an answer" if unanswered else ""
    return Held(answer=answer, broken=broken, held_s=time.monotonic() - began_s)
