"""Health by layer: what the probes of every host last said."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import Window, moment, window
from guardian_aggregator.api.parameters import FILTERS, PAGE, WINDOW
from guardian_aggregator.api.recoveries import heard_since_ns
from guardian_aggregator.model import ConditionState, Layer
from guardian_aggregator.store import FailingCondition as FailingRow
from guardian_aggregator.store import Filter, LayerCounts

_MOST_NAMED = 20
_NONE = LayerCounts(0, 0, 0, 0, 0, 0, 0)


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
    layers = await judge_layers(call, wanted)
    failures = await call.queries.failures_by_layer(wanted)
    asked = [layer for layer in layers if wanted.layer in (None, layer.layer)]
    page, next_cursor = call.page(asked, [str(each.layer) for each in asked], span)
    return Osi(
        window=window(*span),
        layers=[LayerNow(**msgspec.structs.asdict(each), failures=failures.get(each.layer, 0)) for each in page],
        next_cursor=next_cursor,
    )


async def judge_layers(call: Call, wanted: Filter) -> list[LayerHealth]:
    """Every layer's health; what a host that is silent now said last counts as unknown."""
    since_ns = heard_since_ns(call.now_ns)
    counts = await call.queries.layer_counts(wanted, since_ns)
    failing = {
        layer: await call.queries.failing_conditions(wanted, since_ns, layer, _MOST_NAMED)
        for layer, found in counts.items()
        if found.failing
    }
    return [_judge(layer, counts.get(layer, _NONE), failing.get(layer, [])) for layer in Layer]


def _judge(layer: Layer, counts: LayerCounts, failing: Sequence[FailingRow]) -> LayerHealth:
    conditions = _counts(counts.conditions, counts.failing, counts.ok)
    state = _worst(conditions)
    return LayerHealth(
        layer=layer,
        name=layer.name.lower(),
        state=state,
        reason=_reason(counts) if state == ConditionState.UNKNOWN else None,
        hosts=_counts(counts.hosts, counts.hosts_failing, counts.hosts_ok),
        conditions=conditions,
        failing_conditions=[_failing(row) for row in failing],
    )


def _worst(states: StateCounts) -> str:
    if states.failing:
        return ConditionState.FAILING.value
    return ConditionState.OK.value if states.ok else ConditionState.UNKNOWN.value


def _reason(counts: LayerCounts) -> str:
    if not counts.hosts:
        return "no_data"
    return "stale" if counts.hosts_silent == counts.hosts else "cannot_tell"


def _counts(every: int, failing: int, ok: int) -> StateCounts:
    return StateCounts(ok=ok, failing=failing, unknown=every - failing - ok)


def _failing(row: FailingRow) -> FailingCondition:
    return FailingCondition(
        host=row.agent_id,
        target=row.target,
        probe=row.probe,
        issue_type=row.issue_type,
        since=moment(row.first_seen),
    )
