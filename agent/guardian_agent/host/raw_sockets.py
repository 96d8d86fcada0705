"""How does a raw socket wake its reader for nothing but what it waits for, and what is the link it sends on?"""

import asyncio
import errno
import os
import socket
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fcntl import ioctl
from struct import Struct

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.packets import NoNeighboursError

SO_ATTACH_FILTER = 26
LOAD_BYTE, LOAD_HALF, LOAD_WORD = 0x30, 0x28, 0x20  # BPF_LD | BPF_ABS of one, two or four bytes
LOAD_BYTE_BEHIND, LOAD_HALF_BEHIND = 0x50, 0x48  # the same, BPF_IND: behind what SKIP_IP_HEADER has measured
SKIP_IP_HEADER = (0xB1, 0, 0, 0)  # BPF_LDX | BPF_MSH: four times the low half of byte 0
JUMP_EQUAL, RETURN = 0x15, 0x06
WHOLE_PACKET = 0xFFFFFFFF
INSTRUCTION, PROGRAM = Struct("=HBBI"), Struct("@HP")  # struct sock_filter, sock_fprog (linux/filter.h)

SIOCGIFFLAGS, SIOCGIFHWADDR = 0x8913, 0x8927
IFREQ, IFREQ_FLAGS, IFREQ_HARDWARE = Struct("16s24x"), Struct("=16xH22x"), Struct("=16xH6s16x")
IFF_UP, IFF_LOOPBACK, IFF_POINTOPOINT, IFF_NOARP = 0x1, 0x8, 0x10, 0x80
ARPHRD_ETHER = 1
MOST_FOUND = 8  # of different answers; who floods the link invents thousands
# In a flood there is always something to read: others get their turn, and most of it is left to the kernel to drop.
MOST_READS, REST_S = 64, 0.001

Condition = tuple[int, int, int]  # how to load, from which byte, and what is to be there
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class Device(msgspec.Struct, frozen=True):
    """A link that frames are sent on."""

    index: int
    mac: bytes


def let_in(sock: socket.socket, conditions: Sequence[Condition], first: Instruction | None = None) -> None:
    """Only packets that meet all the conditions get to the socket (classic BPF, bpf(4)); the others do not wake it."""
    program = [first] if first else []
    for number, (load, offset, value) in enumerate(conditions):
        to_the_end = 2 * (len(conditions) - number - 1) + 1
        program += [(load, 0, 0, offset), (JUMP_EQUAL, 0, to_the_end, value)]
    program += [(RETURN, 0, 0, WHOLE_PACKET), (RETURN, 0, 0, 0)]
    packed = array("B", b"".join(INSTRUCTION.pack(*instruction) for instruction in program))
    address, _length = packed.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM.pack(len(program), address))


async def readable(sock: socket.socket) -> None:
    """Returns when there is something to read, an error included."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    number = sock.fileno()  # asyncio writes out the whole socket for an error message that nobody sees
    loop.add_reader(number, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(number)


@contextmanager
def closed_elsewhere(sock: socket.socket) -> Iterator[None]:
    """Closes a packet socket in a thread: the kernel waits for all its processors before it lets go of one, which took
    11 ms on two of them."""
    try:
        yield
    finally:
        asyncio.get_running_loop().run_in_executor(None, sock.close)


def device(interface: str) -> Device:
    """The Ethernet-like link of that name.

    Raises:
        NoNeighboursError: nobody is asked for addresses on it (point to point, no ARP, another kind of hardware).
        ProbeError: there is none, or it is down.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            request = IFREQ.pack(os.fsencode(interface))
            (flags,) = IFREQ_FLAGS.unpack(ioctl(sock, SIOCGIFFLAGS, request))
            kind, mac = IFREQ_HARDWARE.unpack(ioctl(sock, SIOCGIFHWADDR, request))
            index = socket.if_nametoindex(interface)
        except OSError as error:
            raise ProbeError(f"{interface}: {error.strerror}") from error
    if flags & (IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP) or kind != ARPHRD_ETHER:
        raise NoNeighboursError(f"{interface}: a link on which nobody has to be asked for")
    if not flags & IFF_UP:
        raise ProbeError(f"{interface} is down")
    return Device(index, mac)


def own_macs() -> set[str]:
    """Those of all links of this network namespace: of two on one wire, Linux answers on both for either's address."""
    macs = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        for _index, name in socket.if_nameindex():
            try:
                answer = ioctl(sock, SIOCGIFHWADDR, IFREQ.pack(os.fsencode(name)))
            except OSError as error:
                if error.errno == errno.ENODEV:  # gone since it was listed
                    continue
                raise ProbeError(f"{name}: {error.strerror}") from error
            macs.add(IFREQ_HARDWARE.unpack(answer)[1].hex(":"))
    return macs


async def gather(
    sock: socket.socket,
    ask: Callable[[int], None],
    read: Callable[[], str | None],
    timeout_s: float,
    *,
    tries: int,
    first_is_enough: bool,
) -> list[str]:
    """Asks `tries` times, evenly spread over `timeout_s`, and collects what `read` makes of each packet, once each;
    at most 8 of them.

    Raises:
        ProbeError: the packet could not be sent.
    """
    found: list[str] = []
    enough = 1 if first_is_enough else MOST_FOUND
    began_s = asyncio.get_running_loop().time()
    for number in range(tries):
        try:
            ask(number)
        except OSError as error:
            raise ProbeError(f"nobody could be asked: {error.strerror}") from error
        try:
            async with asyncio.timeout_at(began_s + timeout_s * (number + 1) / tries):
                while len(found) < enough:
                    await readable(sock)
                    if not _drain(read, found, enough):
                        await asyncio.sleep(REST_S)
        except TimeoutError:
            continue
        break
    return found


def _drain(read: Callable[[], str | None], found: list[str], enough: int) -> bool:
    """Whether all that had come was read, or enough was found."""
    for _ in range(MOST_READS):
        try:
            one = read()
        except BlockingIOError:
            return True
        except OSError as error:
            raise ProbeError(f"no answer can be heard: {error.strerror}") from error
        if one is not None and one not in found:
            found.append(one)
            if len(found) >= enough:
                return True
    return False
