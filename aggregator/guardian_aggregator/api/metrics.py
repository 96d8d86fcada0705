"""The aggregator's metrics for Prometheus. No label carries a host's name: hosts are many, series are not free."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from guardian_aggregator.api.problems import Handler
from guardian_aggregator.api.recoveries import heard_since_ns
from guardian_aggregator.durations import MICROSECONDS
from guardian_aggregator.stats import CLOCK_OFF_S
from guardian_aggregator.store import AgentCounts, Filter, FleetSelfHealth, Kind, OpenIncident, Queries, Sums

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)


class Metrics:
    """Counts the HTTP requests of one application, and tells what its store holds."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "guardian_http_requests_total",
            "HTTP requests answered.",
            ("path", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "guardian_http_request_seconds",
            "Time to answer an HTTP request.",
            ("path",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    @web.middleware
    async def observe(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Counts a request by its route, never by its path: paths are without number."""
        began = perf_counter()
        response = await handler(request)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "none"
        method = request.method if request.method in {"GET", "HEAD"} else "other"
        self._requests.labels(path, method, str(response.status)).inc()
        self._seconds.labels(path).observe(perf_counter() - began)
        return response

    async def expose(self, queries: Queries, now_ns: int) -> bytes:
        """All metrics in the text format."""
        registry = CollectorRegistry()
        registry.register(_Snapshot(await _families(queries, now_ns)))
        return generate_latest(registry) + generate_latest(self._registry)


class _Snapshot(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def _families(queries: Queries, now_ns: int) -> list[Metric]:
    agents = await queries.agent_counts(Filter(), heard_since_ns(now_ns), CLOCK_OFF_S)
    executions = await queries.execution_counts(Filter())
    recoveries = await queries.ended_recoveries(Filter())
    still_open = await queries.open_incidents(Filter())
    counters = await queries.counters()
    health = await queries.fleet_self_health()
    return [
        _info(),
        _agents(agents),
        *_self_health(health),
        *_recoveries(recoveries, still_open),
        _executions(executions),
        _counter("guardian_records", "Records stored.", "kind", counters.records),
        _counter("guardian_refused_streams", "Streams that were refused.", "code", counters.refusals),
        _counter("guardian_gaps", "Gaps: runs of records that will never come.", "reason", counters.gaps),
        _counter("guardian_lost_records", "Records that the gaps stand for.", "reason", counters.gap_records),
        CounterMetricFamily("guardian_batches", "Batches stored.", value=counters.batches),
        CounterMetricFamily("guardian_commits", "Commits of the store.", value=counters.commits),
        CounterMetricFamily("guardian_unknown_values", "Values of no known word.", value=counters.unknown_values),
        CounterMetricFamily("guardian_invalid_records", "Records kept as bytes only.", value=counters.invalid),
        CounterMetricFamily(
            "guardian_foreign_records", "Records about another agent's incident or execution.", value=counters.foreign
        ),
    ]


def _info() -> Metric:
    try:
        ours = version("guardian-fleet")
    except PackageNotFoundError:
        ours = "unknown"
    family = GaugeMetricFamily("guardian_build_info", "Always 1; the version is the label.", labels=("version",))
    family.add_metric((ours,), 1)
    return family


def _agents(agents: AgentCounts) -> Metric:
    away = agents.total - agents.connected - agents.stale
    states = {"connected": agents.connected, "disconnected": away, "stale": agents.stale}
    family = GaugeMetricFamily("guardian_agents", "Hosts ever seen, by state.", labels=("state",))
    for state, number in states.items():
        family.add_metric((state,), number)
    return family


def _self_health(health: FleetSelfHealth) -> Iterable[Metric]:
    """Of the connected agents, by the newest word of each about itself."""
    told = (
        ("agents_late", "Connected agents that were late for some looks in their last minute.", health.late),
        ("agent_loop_lag_worst_seconds", "How late a timer of any agent ran.", health.loop_lag_worst_seconds),
        ("agent_cpu_ratio_worst", "The largest share of a processor that an agent takes.", health.cpu_ratio),
        ("agent_resident_bytes_worst", "The most memory that an agent takes.", health.resident_bytes),
    )
    return [GaugeMetricFamily(f"guardian_{name}", text, value=value) for name, text, value in told]


def _recoveries(ended: Mapping[Kind, Sums], open_ones: Iterable[OpenIncident]) -> Iterable[Metric]:
    """Gauges: a record that comes later may put an incident under another resolution, or make it uncounted."""
    still_open = GaugeMetricFamily("guardian_incidents_open", "Counted incidents still open.", labels=("issue_type",))
    for issue_type, number in sorted(Tally(row.issue_type for row in open_ones).items()):
        still_open.add_metric((issue_type,), number)
    by = ("issue_type", "resolution")
    closed = GaugeMetricFamily("guardian_incidents_closed", "Counted incidents that have ended.", labels=by)
    seconds = GaugeMetricFamily("guardian_incidents_recovery_seconds", "Their times to recover together.", labels=by)
    totals: dict[tuple[str, str], list[int]] = {}
    for kind, sums in ended.items():
        total = totals.setdefault((kind.issue_type, kind.ending), [0, 0])
        total[0] += sums.total
        total[1] += sums.micros
    for labels, (number, micros) in sorted(totals.items()):
        closed.add_metric(labels, number)
        seconds.add_metric(labels, micros / MICROSECONDS)
    return still_open, closed, seconds


def _executions(counts: Mapping[tuple[str, str | None], int]) -> Metric:
    family = GaugeMetricFamily("guardian_executions_ended", "Executions that ended.", labels=("playbook", "outcome"))
    for (playbook, outcome), number in sorted(counts.items(), key=str):
        if outcome is not None:
            family.add_metric((playbook, outcome), number)
    return family


def _counter(name: str, documentation: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family
