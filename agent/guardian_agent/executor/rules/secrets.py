"""Which secrets may be renewed, by which programs, and who may be told to read them again?"""

from typing import assert_never

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import CheckSecret, PutBackSecret, ReloadUnit, RenewSecret, SecretOperation
from guardian_agent.model import Secret
from guardian_agent.playbooks.auto_heal.rotate_secrets import RotateSecrets


def refusal(operation: SecretOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. What is run as root is word for word what root's configuration declares."""
    playbook = policy.playbook("rotate_secrets")
    if not isinstance(playbook, RotateSecrets):
        return "rotate_secrets is another playbook on this host"
    if isinstance(operation, ReloadUnit):
        return _refusal_to_reload(operation.unit, policy)
    secret = next((each for each in _declared(policy) if each.path == operation.path), None)
    if secret is None or secret.renew is None or secret.check is None:
        return f"{operation.path} is no declared secret with renew and check"
    if taken := {secret.path, secret.key} & _protected(policy):
        return f"{' and '.join(sorted(map(str, taken)))}: it is used by what is protected"
    match operation:
        case RenewSecret(renew=argv, key=key, timeout_s=timeout_s):
            if argv != secret.renew or key != (secret.key or ""):
                return f"{operation.path} is declared with another renew or key"
            return _too_long(timeout_s, playbook.renew_within_s)
        case CheckSecret(check=argv, timeout_s=timeout_s):
            if argv != secret.check:
                return f"{operation.path} is declared with another check"
            return _too_long(timeout_s, playbook.check_within_s)
        case PutBackSecret(reload=unit):
            return _refusal_to_reload(unit, policy) if unit else ""
        case _:
            assert_never(operation)


def _declared(policy: Policy) -> list[Secret]:
    return [secret for component in policy.config.components for secret in component.secrets]


def _protected(policy: Policy) -> set[str | None]:
    """The files of secrets that belong to, or are read by, what may not be touched. Raises PolicyError."""
    return {
        file
        for component in policy.config.components
        for secret in component.secrets
        if not policy.is_free(component) or (secret.reload and secret.reload not in policy.units)
        for file in (secret.path, secret.key)
        if file is not None
    }


def _refusal_to_reload(unit: str, policy: Policy) -> str:
    return "" if unit in policy.units else f"{unit} is no unit of a component or a secret, or protected"


def _too_long(timeout_s: float, limit_s: float) -> str:
    return "" if 0 < timeout_s <= limit_s else f"it may take {limit_s:g} s at most"
