"""Which layer is at fault, when every probe has looked once?"""

from collections.abc import Sequence

import msgspec

from guardian_agent.detection.ownership import rank
from guardian_agent.model import FROM_BELOW, Layer
from guardian_agent.probes import Probe
from guardian_agent.probes.base import is_host_target

OF_THEMSELVES = ("artifact_corrupt", "certificate_expiring", "certificate_wrong", "secret_expiring", "deploy_regressed")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One probe's answer; `ok` is None when it could not tell, and `finding` says why or what it saw."""

    probe: str
    target: str
    layer: str
    ok: bool | None
    issue_type: str
    finding: str
    cannot: bool = False  # not even a look could be had, as the probe is or is configured
    counts: bool = True  # false: it was never good on this host, and so says nothing about a fault


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in one sentence, and what it rests on."""

    sentence: str
    layer: str | None  # of the fault; None: there is none
    at_fault: Answer | None
    consequences: tuple[Answer, ...] = ()  # what the fault accounts for
    others: tuple[Answer, ...] = ()  # what fails besides
    never_good: tuple[Answer, ...] = ()  # what fails, and has never been good on this host
    good: int = 0
    unknown: int = 0


def diagnose(asked: Sequence[tuple[Probe, Answer]]) -> Diagnosis:
    """The lowest failing answer is at fault: layers 1 to 3, then what the host is short of, then the components."""
    failing = [(probe, answer) for probe, answer in asked if answer.ok is False and answer.counts]
    never = tuple(answer for _, answer in asked if answer.ok is False and not answer.counts)
    good = sum(answer.ok is True for _, answer in asked)
    unknown = sum(answer.ok is None for _, answer in asked)
    if not failing:
        told = f"{good} question{'s' * (good != 1)} answered well" + (f", {unknown} could not be told" * (unknown > 0))
        told += f"; {len(never)} never {'were' if len(never) > 1 else 'was'} good on this host" * bool(never)
        return Diagnosis(
            sentence=f"Nothing is at fault: {told}.",
            layer=None,
            at_fault=None,
            never_good=never,
            good=good,
            unknown=unknown,
        )
    _, worst = min(failing, key=lambda pair: _depth(pair[1]))
    rest = [(probe, answer) for probe, answer in failing if answer is not worst]
    follows = tuple(answer for probe, answer in rest if _accounts(worst, probe, answer))
    others = tuple(answer for _, answer in rest if answer not in follows)
    return Diagnosis(
        sentence=_sentence(worst, len(follows), len(others)),
        layer=worst.layer,
        at_fault=worst,
        consequences=follows,
        others=others,
        never_good=never,
        good=good,
        unknown=unknown,
    )


def _accounts(fault: Answer, probe: Probe, answer: Answer) -> bool:
    if is_host_target(fault.target):
        return fault.probe in probe.rests_on(answer.issue_type)
    # A dead process keeps others from answering; it makes no file wrong and no certificate old.
    same, by_itself = fault.target == answer.target, answer.issue_type in OF_THEMSELVES
    return same and not by_itself and rank(answer.issue_type) > rank(fault.issue_type)


def _depth(answer: Answer) -> tuple[bool, int, int]:
    """How far below: layers 1 to 3 and what the host is short of before all else, then lower layers and nearer causes
    first."""
    layer = FROM_BELOW.index(Layer[answer.layer.upper()])
    if is_host_target(answer.target) and layer <= FROM_BELOW.index(Layer.HOST):
        return (False, layer, 0)
    return (True, rank(answer.issue_type), layer)


def _sentence(fault: Answer, follows: int, others: int) -> str:
    number = Layer[fault.layer.upper()]
    where = "The host itself" if number == Layer.HOST else f"Layer {number} ({fault.layer.replace('_', ' ')})"
    text = f"{where} is at fault: {fault.issue_type} on {fault.target}, seen by {fault.probe} ({fault.finding})"
    if follows:
        text += f"; {follows} other finding{'s follow' if follows > 1 else ' follows'} from it"
    if others:
        text += f"; {others} more {'are' if others > 1 else 'is'} bad besides"
    return f"{text}."
