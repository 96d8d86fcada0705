"""Who says to have an IPv6 address on a link (NDP, RFC 4861)?"""

import socket
from struct import Struct

from guardian_agent.errors import ProbeError
from guardian_agent.host.raw_sockets import LOAD_BYTE, LOAD_WORD, device, gather, let_in

SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_MAC, TARGET_MAC = 1, 2  # options
HOP_LIMIT = 255  # less: it came from beyond the link (RFC 4861, 7.1.2)
SOLICIT = Struct("!BBHI16sBB6s")  # type, code, checksum (the kernel's), reserved, target; one option
TARGET_AT, OPTIONS_AT = 8, 24
SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")  # and the address's last three bytes (RFC 4291, 2.7.1)


async def owners(address: str, interface: str, timeout_s: float, *, own: bool = False) -> list[str]:
    """The MACs that answer a neighbour solicitation sent to the address's own multicast group. Raises ProbeError.

    It is asked from this host's link-local address also when it is asked for a duplicate: the kernel's own detection
    (RFC 4862) comes before an address is used, and this one after.
    """
    target = socket.inet_pton(socket.AF_INET6, address)
    link = device(interface)
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        sock = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
    except PermissionError as error:
        raise ProbeError("asking by NDP needs CAP_NET_RAW") from error
    except OSError as error:
        raise ProbeError(f"no IPv6 here: {error.strerror}") from error
    with sock:
        words = range(0, 16, 4)
        its_target = [(LOAD_WORD, TARGET_AT + at, int.from_bytes(target[at : at + 4])) for at in words]
        let_in(sock, [(LOAD_BYTE, 0, ADVERTISEMENT), *its_target])
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        except OSError as error:
            raise ProbeError(f"{interface}: {error.strerror}") from error
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        group = socket.inet_ntop(socket.AF_INET6, SOLICITED_NODE + target[-3:])
        request = SOLICIT.pack(SOLICITATION, 0, 0, 0, target, SOURCE_MAC, 1, link.mac)

        def ask(_number: int) -> None:
            sock.sendto(request, (group, 0, 0, link.index))

        def read() -> str | None:
            packet, ancillary, *_ = sock.recvmsg(512, socket.CMSG_SPACE(4))
            hops = next((int.from_bytes(value[:1]) for _, kind, value in ancillary if kind == socket.IPV6_HOPLIMIT), 0)
            mac = _target_mac(packet)
            return None if hops != HOP_LIMIT or mac in (None, link.mac.hex(":")) else mac

        return await gather(sock, ask, read, timeout_s, tries=2 if own else 3, first_is_enough=not own)


def _target_mac(packet: bytes) -> str | None:
    """What the advertisement says of its target; an answer to a multicast question must (RFC 4861, 7.2.4)."""
    at = OPTIONS_AT
    while at + 8 <= len(packet) and packet[at + 1]:
        if packet[at] == TARGET_MAC:
            return packet[at + 2 : at + 8].hex(":")
        at += 8 * packet[at + 1]
    return None
