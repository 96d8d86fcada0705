"""Redirects from the port that clients know to the one where a component listens: what Guardian's own tables say.

Whoever plans one and whoever allows it make the same text, and compare.
"""

import ipaddress
import re
import zlib

from guardian_agent.model import Endpoint

TABLE = "inet guardian_rebind_"
DROP_IN = "50-guardian-rebind.conf"

_NEW = re.compile(r"dnat to :([0-9]{4,5})$", re.MULTILINE)
_WILDCARDS = ("0.0.0.0", "::")


def table_key(component: str) -> str:
    """The table of a component, by family and name. Two components never share one."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", component)
    told_apart = "" if name == component else f"_{zlib.crc32(component.encode()):08x}"
    return f"{TABLE}{name}{told_apart}"


def table_text(component: str, old: Endpoint, new_port: int) -> str:
    """The table that takes new connections to `old` on to `new_port`, at the address that they ask for.

    Both hooks, so that this host's own clients get there too. Only to addresses of this host, since what it sends to
    the same port of others goes out by the same hook. And only the first packet of a connection: a kernel that begins
    to track connections now would take the others' in the midst of theirs.

    Raises:
        ValueError: `old` is on a name, which the kernel does not compare.
    """
    rule = f"{_to(old.host)} tcp dport {old.port} tcp flags & (fin | syn | rst | ack) == syn dnat to :{new_port}"
    chains = [
        f"\tchain {hook} {{\n\t\ttype nat hook {hook} priority -110; policy accept;\n\t\t{rule}\n\t}}\n"
        for hook in ("prerouting", "output")
    ]
    return f"table {table_key(component)} {{\n" + "\n".join(chains) + "}\n"


def new_port_in(text: str) -> int | None:
    """To which port such a table redirects; None where it is none."""
    found = {int(port) for port in _NEW.findall(text)}
    return found.pop() if len(found) == 1 else None


def drop_in_text(variable: str, port: int) -> str:
    """What tells a unit its port."""
    return f"[Service]\nEnvironment={variable}={port}\n"


def _to(host: str) -> str:
    if host in _WILDCARDS:
        return "fib daddr type local"
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    return f"{'ip' if address.version == 4 else 'ip6'} daddr {address}"
