"""Renews declared secrets, certificates among them, and forgets no old one before the new one has proven itself."""

from typing import Annotated, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.operations import CheckSecret, PutBackSecret, ReloadUnit, RenewSecret
from guardian_agent.model import Component, Secret, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.unit_restart import DOWN

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class RotateSecrets(Playbook, frozen=True):
    """Has the declared `renew` make a new secret, puts it in place, reloads who uses it, and has `check` prove it.

    For a certificate it is a remedy where the component declares the certificate's file as a secret, or as its key.
    """

    heals: ClassVar = ("certificate_expiring", "certificate_wrong", "secret_expiring")
    tier: ClassVar = Tier.ONE_APPROVER

    renew_within_s: Seconds = 60.0
    check_within_s: Seconds = 10.0

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if situation.incident.issue_type == "secret_expiring":
            wanted = await _due(component, host)
        else:
            wanted = _of_certificate(component)
        renewals, reloads, checks = [], {}, []
        for secret in wanted:
            if secret.renew is None or secret.check is None:
                raise CannotPlanError(f"{secret.path} declares no renew and check, so it can only be reported")
            if await host.files.state(secret.path) is None:
                raise CannotPlanError(f"{secret.path} is missing, and whose it is to be, with which mode, nobody knows")
            unit = await _reloaded(secret, situation, host)
            renew = RenewSecret(secret.path, secret.renew, secret.key or "", self.renew_within_s)
            renewals.append(Step(renew, undo=PutBackSecret(secret.path, unit)))
            checks.append(Step(CheckSecret(secret.path, secret.check, self.check_within_s)))
            if unit:
                reloads[unit] = Step(ReloadUnit(unit))  # taken back where the old secret is put back
        seen = ("l6_certificate",) if component.certificate else ()
        return Plan(*renewals, *reloads.values(), *checks, postconditions=seen)


async def _due(component: Component, host: Host) -> list[Secret]:
    """The secrets that get too old, all of them, since all must be young again before it is healed. Raises
    CannotPlanError."""
    found = []
    for secret in component.secrets:
        there = await host.files.state(secret.path)
        age_s = (host.clock.now().wall_ns - there.modified_wall_ns) / 1e9 if there else secret.max_age_s
        if age_s >= secret.max_age_s * Secret.RENEWED_AT:
            found.append(secret)
    if not found:
        raise CannotPlanError(f"no secret of {component.name} is old")
    return found


def _of_certificate(component: Component) -> list[Secret]:
    file = component.certificate.file if component.certificate else None
    found = [secret for secret in component.secrets if file in (secret.path, secret.key)]
    if file is None or not found:
        raise CannotPlanError(f"the certificate of {component.name} is no declared secret: nobody says how to renew it")
    return found


async def _reloaded(secret: Secret, situation: Situation, host: Host) -> str:
    """Who is to read the new secret, by systemd's own name; empty for nobody. What is down reads it when it starts."""
    if secret.reload is None:
        return ""
    unit = await host.units.own_name(secret.reload)
    if {unit, secret.reload} & situation.protected:
        raise CannotPlanError(f"{secret.reload}, which uses {secret.path}, is protected")
    state = await host.units.state(unit)
    if state.load_state != "loaded":
        raise CannotPlanError(f"systemd says {unit}, which uses {secret.path}, is {state.load_state}")
    return "" if state.active_state in DOWN else unit
