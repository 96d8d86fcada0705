"""Every TCP socket of one local port, whatever its state, asked of the kernel by `sock_diag` (sock_diag(7))."""

import errno
import os
import socket
from collections.abc import Iterable

import msgspec

from guardian_agent.host.sock_diag import (
    ATTRIBUTE,
    COUNTS,
    HEADER,
    INET_DIAG_SKV6ONLY,
    NETLINK_SOCK_DIAG,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    PORTS,
    REQUEST,
    REST,
    STATE,
    TCP_LISTEN,
    TCP_TIME_WAIT,
    SockDiag,
)

NLM_F_ACK, SOCK_DESTROY = 0x4, 21  # linux/netlink.h, linux/sock_diag.h
EVERY_STATE = 0xFFF
TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_LAST_ACK, TCP_CLOSING = 4, 5, 9, 11  # net/tcp_states.h
# What is left of a connection that its process has closed. One that waits for accept has no process yet either, and is
# in none of these.
LEFT_OVER = (TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT, TCP_LAST_ACK, TCP_CLOSING)
WILDCARDS = ("0.0.0.0", "::")
ID_END = STATE.size + PORTS.size + REST.size


class PortSocket(msgspec.Struct, frozen=True, kw_only=True):
    """One socket as the kernel describes it."""

    family: int
    state: int
    address: str
    inode: int  # 0: no process holds it
    uid: int
    v6_only: bool
    identity: bytes  # an inet_diag_sockid, by which the kernel finds it again

    @property
    def listens(self) -> bool:
        return self.state == TCP_LISTEN

    @property
    def left_over(self) -> bool:
        return self.inode == 0 and self.state in LEFT_OVER

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it takes connections: the wildcard of IPv6 is that of IPv4 too, unless it says otherwise."""
        both = self.address == "::" and not self.v6_only
        return (self.address, "0.0.0.0") if both else (self.address,)


def of_port(port: int) -> list[PortSocket]:
    """The sockets of a local port. The kernel answers at once. Raises OSError."""
    diag = SockDiag()
    try:
        families = (socket.AF_INET, socket.AF_INET6)
        return [_parse(body) for family in families for body in diag.bodies(family, port, EVERY_STATE)]
    finally:
        diag.close()


def used(low: int, high: int) -> set[int]:
    """The local ports from `low` to `high` that any socket has, in whatever state. Raises OSError."""
    diag = SockDiag()
    try:
        families = (socket.AF_INET, socket.AF_INET6)
        ports = {
            PORTS.unpack_from(body, STATE.size)[0] for one in families for body in diag.bodies(one, 0, EVERY_STATE)
        }
    finally:
        diag.close()
    return {port for port in ports if low <= port <= high}


def contests(host: str, addresses: Iterable[str]) -> bool:
    """Whether a socket on one of `addresses` keeps another from listening at `host`, on the same port."""
    if host == "localhost":
        return contests("127.0.0.1", addresses) or contests("::1", addresses)
    mine = ":" in host
    same_family = [address for address in addresses if (":" in address) == mine]
    return any(host in WILDCARDS or address == host or address in WILDCARDS for address in same_family)


def destroy(one: PortSocket) -> None:
    """Ends a socket as an error of the network would; one that is gone is fine. Needs CAP_NET_ADMIN. Raises OSError."""
    wanted = REQUEST.pack(one.family, socket.IPPROTO_TCP, 0, EVERY_STATE) + one.identity
    flags = NLM_F_REQUEST | NLM_F_ACK
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        netlink.send(HEADER.pack(HEADER.size + len(wanted), SOCK_DESTROY, flags, 1, 0) + wanted)
        answer = netlink.recv(65536)
    _, kind, *_ = HEADER.unpack_from(answer)
    code = -int.from_bytes(answer[HEADER.size : HEADER.size + 4], "little", signed=True) if kind == NLMSG_ERROR else 0
    if code not in (0, errno.ENOENT):
        raise OSError(code, os.strerror(code))


def _parse(body: bytes) -> PortSocket:
    family, state, *_ = STATE.unpack_from(body)
    _, _, source, _ = PORTS.unpack_from(body, STATE.size)
    _, _, _, uid, inode = COUNTS.unpack_from(body, ID_END)
    return PortSocket(
        family=family,
        state=state,
        address=socket.inet_ntop(family, source[: 4 if family == socket.AF_INET else 16]),
        inode=inode,
        uid=uid,
        v6_only=_v6_only(body[ID_END + COUNTS.size :]),
        identity=body[STATE.size : ID_END],
    )


def _v6_only(attributes: bytes) -> bool:
    while len(attributes) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(attributes)
        if kind == INET_DIAG_SKV6ONLY:
            return any(attributes[ATTRIBUTE.size : length])
        attributes = attributes[max(ATTRIBUTE.size, (length + 3) & ~3) :]
    return False
