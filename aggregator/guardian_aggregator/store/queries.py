"""The read side of the store: every question that the API asks of it."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from guardian_aggregator.errors import StoreError
from guardian_aggregator.model import (
    AgentRow,
    ExecutionRow,
    GapRow,
    IncidentRow,
    PageRow,
    PlaybookRow,
    SelfHealthRow,
    StoreCounters,
    TransitionRow,
)
from guardian_aggregator.store import counting, layers
from guardian_aggregator.store.counting import AgentCounts, OpenIncident
from guardian_aggregator.store.database import open_reader
from guardian_aggregator.store.filter import (
    EXECUTION_COLUMNS,
    GAP_COLUMNS,
    HOST_COLUMNS,
    INCIDENT_COLUMNS,
    PAGE_COLUMNS,
    TRANSITION_COLUMNS,
    Bindings,
    Columns,
    Filter,
    where,
)
from guardian_aggregator.store.layers import FailingCondition, LayerCounts
from guardian_aggregator.store.rollups import Kind, RollupReader, Sums
from guardian_aggregator.store.rows import Bounded, FleetSelfHealth, Rows
from guardian_aggregator.store.tables import (
    AGENTS,
    EXECUTIONS,
    GAPS,
    INCIDENTS,
    PAGES,
    PLAYBOOKS,
    SELF_HEALTH,
    TRANSITIONS,
    RowT,
    Table,
)

T = TypeVar("T")
After = tuple[int, str]


class Queries:
    """Reads on a read-only connection, in one thread: no question delays a commit or the loop.

    Every method raises StoreError when the database cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)
        self._rollups = RollupReader(self._connection)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-read")
        self._probe = open_reader(path)
        self._probe_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-probe")

    async def answers(self) -> None:
        """Asks the store something small, beside whatever else it is being asked."""
        await self._run(lambda: self._probe.execute("SELECT count(*) FROM counters").fetchall(), self._probe_thread)

    async def incidents(self, f: Filter, limit: int, after: After | None = None) -> Rows[IncidentRow]:
        """Newest `first_bad_at` first; `after` is (first_bad_at, incident_id) of the last row of the page before."""
        return await self._page(INCIDENTS, f, INCIDENT_COLUMNS, ("first_bad_at", "incident_id"), limit, after)

    async def incident(self, incident_id: str) -> IncidentRow | None:
        rows = await self._select(INCIDENTS, "incident_id = :id", {"id": incident_id})
        return rows[0] if rows else None

    async def executions(self, f: Filter, limit: int, after: After | None = None) -> Rows[ExecutionRow]:
        """Newest `started_at` first; `after` is (started_at, execution_id). The filter's layer is the incident's."""
        return await self._page(EXECUTIONS, f, EXECUTION_COLUMNS, ("started_at", "execution_id"), limit, after)

    async def execution(self, execution_id: str) -> ExecutionRow | None:
        rows = await self._select(EXECUTIONS, "execution_id = :id", {"id": execution_id})
        return rows[0] if rows else None

    async def incident_executions(self, incident_id: str) -> list[ExecutionRow]:
        """The executions of one incident, in the order in which they started."""
        own = "incident_id = :id AND agent_id = (SELECT agent_id FROM incidents WHERE incident_id = :id)"
        return await self._select(EXECUTIONS, f"{own} ORDER BY started_at, execution_id", {"id": incident_id})

    async def ended_recoveries(self, f: Filter) -> dict[Kind, Sums]:
        """The incidents that recovery statistics count (not explained by another, not held) and that closed.

        Of whole minutes, unless one host or component is asked for.
        """
        return await self._run(lambda: counting.ended_recoveries(self._connection, self._rollups, f))

    async def open_incidents(self, f: Filter) -> list[OpenIncident]:
        """Those that count and have not closed."""
        return await self._run(lambda: counting.open_incidents(self._connection, f))

    async def healed_by(self, incident_ids: Iterable[str]) -> dict[str, str]:
        """The playbook that healed each incident; incidents that none healed are left out."""
        wanted = msgspec.json.encode(list(incident_ids)).decode()
        rows = await self._rows(
            "SELECT e.incident_id, e.playbook FROM executions e JOIN incidents i USING (incident_id, agent_id)"
            " WHERE e.outcome = 'healed' AND incident_id IN (SELECT value FROM json_each(:ids)) ORDER BY e.finished_at",
            {"ids": wanted},
        )
        return dict(rows)

    async def execution_counts(self, f: Filter) -> dict[tuple[str, str | None], int]:
        """How many executions there are by (playbook, outcome); the outcome of running ones is None.

        Of whole minutes, unless one host or component is asked for.
        """
        sums = await self._run(lambda: counting.executions(self._connection, self._rollups, f))
        counts: dict[tuple[str, str | None], int] = {}
        for kind, found in sums.items():
            key = kind.playbook, kind.ending or None
            counts[key] = counts.get(key, 0) + found.total
        return counts

    async def agent_counts(self, f: Filter, heard_since_ns: int, clock_off_s: float) -> AgentCounts:
        """Hosts, narrowed by host and labels; stale: not connected, and last heard before `heard_since_ns`."""
        return await self._run(lambda: counting.agents(self._connection, f, heard_since_ns, clock_off_s))

    async def last_runs(self, f: Filter) -> dict[str, int]:
        """When each playbook last started (wall nanoseconds)."""
        return await self._run(lambda: counting.last_runs(self._connection, self._rollups, f))

    async def pages(self, f: Filter, limit: int, after: After | None = None) -> Rows[PageRow]:
        """Newest first; `after` is (at, page_id)."""
        return await self._page(PAGES, f, PAGE_COLUMNS, ("at", "page_id"), limit, after)

    async def gaps(self, f: Filter) -> list[GapRow]:
        """Oldest first; narrowed by the window, host and labels."""
        condition, bindings = where(f, GAP_COLUMNS)
        return await self._select(GAPS, f"{condition} ORDER BY at, stream, first_seq", bindings)

    async def transitions(self, f: Filter, limit: int, after: After | None = None) -> Rows[TransitionRow]:
        """Newest first; `after` is (at, transition_id)."""
        return await self._page(TRANSITIONS, f, TRANSITION_COLUMNS, ("at", "transition_id"), limit, after)

    async def layer_counts(self, f: Filter, heard_since_ns: int) -> dict[int, LayerCounts]:
        """How many conditions of each layer are in which state; hosts last heard before that are silent."""
        return await self._run(lambda: layers.layer_counts(self._connection, f, heard_since_ns))

    async def failing_conditions(
        self, f: Filter, heard_since_ns: int, layer: int, limit: int
    ) -> list[FailingCondition]:
        """The first failing ones of one layer, by host, probe and target, those of silent hosts left out."""
        return await self._run(lambda: layers.failing_conditions(self._connection, f, heard_since_ns, layer, limit))

    async def failures_by_layer(self, f: Filter) -> dict[int, int]:
        """How often a condition of each layer went over into failing."""
        condition, bindings = where(f, TRANSITION_COLUMNS)
        sql = f"SELECT layer, count(*) FROM transitions WHERE to_state = 'failing' AND {condition} GROUP BY layer"  # noqa: S608
        return dict(await self._rows(sql, bindings))

    async def agents(self, f: Filter | None = None) -> list[AgentRow]:
        """All hosts ever seen, by id; narrowed by host and labels. `watermark` is that of the stream last seen."""
        condition, bindings = where(f or Filter(), HOST_COLUMNS)
        return await self._call(
            AGENTS,
            f"SELECT {AGENTS.columns} FROM (SELECT a.*, s.watermark FROM agents a JOIN streams s USING (stream))"  # noqa: S608
            f" WHERE {condition} ORDER BY agent_id",
            bindings,
        )

    async def self_health(self, f: Filter | None = None) -> dict[str, SelfHealthRow]:
        """The newest word of each agent about itself, by host; narrowed by host and labels."""
        condition, bindings = where(f or Filter(), HOST_COLUMNS)
        return {row.agent_id: row for row in await self._select(SELF_HEALTH, condition, bindings)}

    async def fleet_self_health(self) -> FleetSelfHealth:
        """How the connected agents fare together."""
        ((late, lag, cpu, resident),) = await self._rows(
            "SELECT coalesce(sum(looks_late > 0), 0), coalesce(max(loop_lag_worst_seconds), 0.0),"
            " coalesce(max(cpu_seconds / over_seconds), 0.0), coalesce(max(resident_bytes), 0)"
            " FROM self_health JOIN agents USING (agent_id) WHERE connected",
            {},
        )
        return FleetSelfHealth(late=late, loop_lag_worst_seconds=lag, cpu_ratio=cpu, resident_bytes=resident)

    async def playbooks(self, f: Filter | None = None) -> list[PlaybookRow]:
        """Every playbook of every host as it last said it, by id and host; narrowed by host and labels."""
        condition, bindings = where(f or Filter(), HOST_COLUMNS)
        return await self._select(PLAYBOOKS, f"{condition} ORDER BY id, agent_id", bindings)

    async def counters(self) -> StoreCounters:
        """What has been counted since the store was made."""
        by_name: dict[str, dict[str, int]] = {}
        for name, label, value in await self._rows("SELECT name, label, value FROM counters", {}):
            by_name.setdefault(name, {})[label] = value

        def total(name: str) -> int:
            return sum(by_name.get(name, {}).values())

        return StoreCounters(
            records=by_name.get("records", {}),
            unknown_values=total("unknown_values"),
            invalid=total("invalid"),
            foreign=total("foreign"),
            refusals=by_name.get("refusals", {}),
            batches=total("batches"),
            commits=total("commits"),
            gaps=by_name.get("gaps", {}),
            gap_records=by_name.get("gap_records", {}),
            truncated=total("truncated"),
        )

    def close(self) -> None:
        """Waits for the question under way and closes the connection."""
        for thread, connection in ((self._thread, self._connection), (self._probe_thread, self._probe)):
            thread.shutdown(wait=True)
            connection.close()

    async def _page(
        self, table: Table[RowT], f: Filter, columns: Columns, order: tuple[str, str], limit: int, after: After | None
    ) -> Rows[RowT]:
        condition, bindings = where(f, columns)
        time, key = order
        if after is not None:
            # Row values of one (time, key) index: the next page costs its rows, not the pages before it.
            condition += f" AND ({time}, {key}) < (:after_time, :after_key)"
            bindings |= {"after_time": after[0], "after_key": int(after[1]) if key == "transition_id" else after[1]}
        bindings["limit"] = limit
        order_by = f"ORDER BY {time} DESC, {key} DESC LIMIT :limit"
        sql = f"SELECT {table.columns} FROM {table.name} WHERE {condition} {order_by}"  # noqa: S608 (our own names)

        def read() -> Rows[RowT]:
            bounded = Bounded(self._connection.execute(sql, bindings))
            rows = Rows(table.read(bounded))
            rows.cut_short = bounded.full
            return rows

        return await self._run(read)

    async def _select(self, table: Table[RowT], condition: str, bindings: Bindings) -> list[RowT]:
        return await self._call(table, f"SELECT {table.columns} FROM {table.name} WHERE {condition}", bindings)  # noqa: S608

    async def _call(self, table: Table[RowT], sql: str, bindings: Bindings) -> list[RowT]:
        return await self._run(lambda: table.read(self._connection.execute(sql, bindings)))

    async def _rows(self, sql: str, bindings: Bindings) -> list[Any]:
        return await self._run(lambda: list(self._connection.execute(sql, bindings)))

    async def _run(self, question: Callable[[], T], thread: ThreadPoolExecutor | None = None) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread or self._thread, question)
        except apsw.Error as error:
            raise StoreError(f"the store cannot be read: {error}") from error
