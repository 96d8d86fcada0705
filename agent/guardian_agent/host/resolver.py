"""Whom does this host ask for names?"""

import ipaddress


def servers_in(text: str) -> tuple[str, ...]:
    """The servers in a resolv.conf(5) that are addresses, in their order."""
    words = [line.split() for line in text.splitlines()]
    return tuple(word[1] for word in words if len(word) > 1 and word[0] == "nameserver" and is_address(word[1]))


def is_address(text: str) -> bool:
    """Whether it is an IP address, that of a link with its scope included."""
    try:
        return bool(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
