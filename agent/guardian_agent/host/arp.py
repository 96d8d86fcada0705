"""Who says to have an IPv4 address on a link (ARP, RFC 826 and 5227)?"""

import socket
from contextlib import suppress
from struct import Struct

from guardian_agent.errors import ProbeError
from guardian_agent.host.raw_sockets import LOAD_HALF, LOAD_WORD, closed_elsewhere, device, gather, let_in

ETH_P_IP, ETH_P_ARP, ARPHRD_ETHER, REQUEST, REPLY = 0x0800, 0x0806, 1, 1, 2
TO_US, OTHERS = 0, 3  # PACKET_HOST, PACKET_OTHERHOST (packet(7))
BROADCAST, NO_MAC, NO_ADDRESS = b"\xff" * 6, bytes(6), bytes(4)
ARP = Struct("!HHBBH6s4s6s4s")  # hardware, protocol, their lengths, operation, sender's MAC and address, target's
OPERATION_AT, SENDER_AT = 6, 14
DISCARD_PORT = 9  # nothing is sent there


async def owners(
    address: str, interface: str, timeout_s: float, *, own: bool = False, known_mac: str | None = None
) -> list[str]:
    """The MACs that answer. Not `own`: the first answer is enough, and `known_mac` is asked first, alone.

    `own`: an ARP probe, whose sender's address is 0.0.0.0, so that nobody's table changes by it; whoever says meanwhile
    to have the address counts, also by asking with it (RFC 5227, 2.1.1).

    Raises ProbeError.
    """
    target = socket.inet_aton(address)
    link = device(interface)
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        raise ProbeError("asking by ARP needs CAP_NET_RAW") from error
    with closed_elsewhere(sock):
        sender = NO_ADDRESS if own else _source(address, interface)
        request = ARP.pack(ARPHRD_ETHER, ETH_P_IP, 6, 4, REQUEST, link.mac, sender, NO_MAC, target)
        conditions = [(LOAD_WORD, SENDER_AT, int.from_bytes(target))]
        let_in(sock, conditions if own else [(LOAD_HALF, OPERATION_AT, REPLY), *conditions])
        try:
            sock.bind((interface, ETH_P_ARP))
        except OSError as error:
            raise ProbeError(f"{interface}: {error.strerror}") from error

        def ask(number: int) -> None:
            first = bytes.fromhex(known_mac.replace(":", "")) if known_mac and not own and number == 0 else BROADCAST
            sock.sendto(request, (interface, ETH_P_ARP, 0, 0, first))

        def read() -> str | None:
            packet, (_name, _protocol, whose, *_hardware) = sock.recvfrom(64)
            if len(packet) < ARP.size or whose == OTHERS or (whose != TO_US and not own):
                return None  # what is said to all is no answer to us
            mac: bytes = ARP.unpack_from(packet)[5]
            return None if mac == link.mac else mac.hex(":")

        return await gather(sock, ask, read, timeout_s, tries=2 if own else 3, first_is_enough=not own)


def _source(address: str, interface: str) -> bytes:
    """The address that this host would ask with; 0.0.0.0, as when it has none, where it would not send there."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        sock.connect((address, DISCARD_PORT))
        return socket.inet_aton(sock.getsockname()[0])
    return NO_ADDRESS
