"""Health by layer: what the probes of every host last said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import Window, moment, window
from guardian_aggregator.api.parameters import FILTERS, PAGE, WINDOW
from guardian_aggregator.api.recoveries import heard_since_ns
from guardian_aggregator.model import ConditionRow, ConditionState, Layer

_MOST_NAMED = 20


class StateCounts(msgspec.Struct, frozen=True, kw_only=True):
    ok: int
    failing: int
    unknown: int


class FailingCondition(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    target: str
    probe: str
    issue_type: str
    since: datetime


class LayerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: `failing` when it fails anywhere, `ok` when a host still heard says so and none says otherwise.

    `reason` says why it is `unknown`: `no_data` (no probe of this layer has ever told), `stale` (whoever told is
    silent now), `cannot_tell` (the probes look and cannot tell). `failing_conditions` names the first 20.
    """

    layer: int
    name: str
    state: str
    reason: str | None
    hosts: StateCounts
    conditions: StateCounts
    failing_conditions: list[FailingCondition]


class LayerNow(LayerHealth, frozen=True, kw_only=True):
    """A layer's health now; `failures`: how often one of its conditions went over into failing within the window."""

    failures: int


class Osi(msgspec.Struct, frozen=True, kw_only=True):
    """The layers from the lowest up; the host's own (disk, memory, units) come last, as number 8."""

    window: Window
    layers: list[LayerNow]
    next_cursor: str | None


@endpoint("/api/guardian/osi", *WINDOW, *FILTERS, *PAGE)
async def osi(call: Call) -> Osi:
    """Health per layer now, of one host or of the fleet, and how often it failed within the window."""
    span = call.span_or_day()
    wanted = call.filter(span)
    silent = await call.queries.silent_hosts(wanted, heard_since_ns(call.now_ns))
    layers = judge_layers(await call.queries.condition_states(wanted), silent)
    failures = await call.queries.failures_by_layer(wanted)
    asked = [layer for layer in layers if wanted.layer in (None, layer.layer)]
    page, next_cursor = call.page(asked, [str(each.layer) for each in asked], span)
    return Osi(
        window=window(*span),
        layers=[LayerNow(**msgspec.structs.asdict(each), failures=failures.get(each.layer, 0)) for each in page],
        next_cursor=next_cursor,
    )


def judge_layers(conditions: Sequence[ConditionRow], silent: set[str]) -> list[LayerHealth]:
    """Every layer's health; what a host that is silent now said last counts as unknown."""
    return [_judge(layer, [row for row in conditions if row.layer == layer], silent) for layer in Layer]


def _judge(layer: Layer, rows: Sequence[ConditionRow], silent: set[str]) -> LayerHealth:
    states: Counter[str] = Counter()
    by_host: dict[str, Counter[str]] = {}
    for row in rows:
        known = row.state in {ConditionState.OK, ConditionState.FAILING} and row.agent_id not in silent
        state = row.state if known else ConditionState.UNKNOWN.value
        states[state] += 1
        by_host.setdefault(row.agent_id, Counter())[state] += 1
    hosts = Counter(_worst(each) for each in by_host.values())
    state = _worst(states)
    failing = [row for row in rows if row.state == ConditionState.FAILING and row.agent_id not in silent]
    return LayerHealth(
        layer=layer,
        name=layer.name.lower(),
        state=state,
        reason=_reason(rows, silent) if state == ConditionState.UNKNOWN else None,
        hosts=_counts(hosts),
        conditions=_counts(states),
        failing_conditions=[_failing(row) for row in failing[:_MOST_NAMED]],
    )


def _worst(states: Mapping[str, int]) -> str:
    for state in (ConditionState.FAILING, ConditionState.OK):
        if states.get(state):
            return state.value
    return ConditionState.UNKNOWN.value


def _reason(rows: Sequence[ConditionRow], silent: set[str]) -> str:
    if not rows:
        return "no_data"
    return "stale" if all(row.agent_id in silent for row in rows) else "cannot_tell"


def _counts(states: Mapping[str, int]) -> StateCounts:
    return StateCounts(**{state.value: states.get(state, 0) for state in ConditionState})


def _failing(row: ConditionRow) -> FailingCondition:
    return FailingCondition(
        host=row.agent_id,
        target=row.target,
        probe=row.probe,
        issue_type=row.issue_type,
        since=moment(row.first_seen),
    )
