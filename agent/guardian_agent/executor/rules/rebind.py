"""What may a unit be told of its port, and which port may be redirected to it?

Both are compared with what the playbook itself would write: nothing else is allowed.
"""

from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.host.operations import DropInOperation, RemoveDropIn, WriteDropIn
from guardian_agent.host.redirects import DROP_IN, TABLE, drop_in_text, new_port_in, table_key, table_text
from guardian_agent.playbooks.network.rebind_port import RebindPort


def refusal(operation: DropInOperation, policy: Policy) -> str:
    """Why a drop-in is not written or removed; empty when it is."""
    playbook = _playbook(policy)
    units = {one.unit for one in policy.config.components if one.listen and policy.is_free(one)}
    if operation.unit not in units or not operation.unit.endswith(".service"):
        return f"{operation.unit} is no service of a component that has a port, or protected"
    if operation.name != DROP_IN:
        return f"{operation.name!r} is not the name of a drop-in of Guardian's"
    match operation:
        case RemoveDropIn():
            return ""
        case WriteDropIn(text=text):
            first, last = playbook.ports
            number = text.rpartition("=")[2].strip()
            if not (number.isascii() and number.isdecimal() and len(number) <= 5 and first <= int(number) <= last):
                return f"it says no port from {first} to {last}"
            if text != drop_in_text(playbook.variable, int(number)):
                return f"it says something else than {playbook.variable}"
            return ""


def is_redirect(key: str) -> bool:
    """Whether a table of nftables is one of those that the next function judges."""
    return key.startswith(TABLE)


def refusal_of_table(key: str, text: str, policy: Policy) -> str:
    """Why a table `guardian_rebind_NAME` is not replaced or deleted (an empty text); empty when it is."""
    playbook = _playbook(policy)
    named = [one for one in policy.config.components if one.unit and one.listen and table_key(one.name) == key]
    if not named or named[0].listen is None or not all(policy.is_free(one) for one in named):
        return f"table {key} is Guardian's own, and of no component that may be moved"
    if not text:
        return ""
    port = new_port_in(text)
    first, last = playbook.ports
    if port is None or not first <= port <= last:
        return f"table {key} redirects to no port from {first} to {last}"
    try:
        expected = table_text(named[0].name, named[0].listen, port)
    except ValueError as error:
        return f"table {key}: {error}"
    return "" if text == expected else f"table {key} says something else than a redirect of {named[0].listen}"


def _playbook(policy: Policy) -> RebindPort:
    playbook = policy.playbook("rebind_port")
    if not isinstance(playbook, RebindPort):
        raise PolicyError("rebind_port is another playbook here")
    return playbook
