"""May it be done? One family of operations a file; what no rule allows is refused.

A rule assumes that the agent is in an enemy's hands and sends whatever it likes. It answers with one sentence why not,
or with nothing.
"""

from collections.abc import Callable
from typing import Any

from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.executor.rules import (
    artifacts,
    cleanup,
    firewall,
    limits,
    network,
    ports,
    questions,
    rebind,
    releases,
    resolver,
    secrets,
    settings,
)
from guardian_agent.host.operations import (
    ArtifactOperation,
    CleanupOperation,
    DropInOperation,
    FirewallOperation,
    LimitOperation,
    NetworkOperation,
    PortOperation,
    ReleaseOperation,
    ResolverOperation,
    RootOperation,
    SecretOperation,
    SettingOperation,
    kinds_of,
)
from guardian_agent.host.questions import RootQuestion

FAMILIES: tuple[tuple[Any, Callable[[Any, Policy], str]], ...] = (
    (ArtifactOperation, artifacts.refusal),
    (CleanupOperation, cleanup.refusal),
    (DropInOperation, rebind.refusal),
    (FirewallOperation, firewall.refusal),
    (LimitOperation, limits.refusal),
    (NetworkOperation, network.refusal),
    (PortOperation, ports.refusal),
    (ReleaseOperation, releases.refusal),
    (ResolverOperation, resolver.refusal),
    (SecretOperation, secrets.refusal),
    (SettingOperation, settings.refusal),
)
RULES = {kind: rule for family, rule in FAMILIES for kind in kinds_of(family)}


def refusal(operation: RootOperation, policy: Policy) -> str:
    """Why an operation is not carried out; empty when it is."""
    if halted := policy.halted():
        return halted
    try:
        rule = RULES.get(type(operation))
        return rule(operation, policy) if rule else f"{type(operation).__name__}: there is no rule for it"
    except PolicyError as error:
        return str(error)


def refusal_to_tell(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is. Looking is allowed in every mode."""
    try:
        return questions.refusal(question, policy)
    except PolicyError as error:
        return str(error)
