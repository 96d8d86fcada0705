"""Rows of the model as rows of a table: a field is a column of the same name, and what is not a plain value is JSON."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from guardian_aggregator.model import (
    AgentRow,
    ConditionRow,
    ExecutionRow,
    GapRow,
    IncidentRow,
    PageRow,
    PlaybookRow,
    SelfHealthRow,
    TransitionRow,
)

RowT = TypeVar("RowT", bound=msgspec.Struct)

_JSON_FIELDS = {"symptoms", "evidence", "steps", "labels", "targets", "counts", "heals"}


class Table(Generic[RowT]):
    """Knows how one struct is written to and read from the table of that name."""

    def __init__(self, name: str, row: type[RowT], *, key: str, numbered: str | None = None) -> None:
        """`key` names the columns of the primary key; `numbered` is a column that SQLite fills in."""
        fields = msgspec.structs.fields(row)
        names = [field.name for field in fields]
        written = [name for name in names if name != numbered]
        self.name = name
        self.key = key
        self.columns = ", ".join(names)
        self._row = row
        self._readers = [(field.name, _reader(field)) for field in fields]
        self._writers = [(name, name in _JSON_FIELDS) for name in written]
        places = ", ".join(f":{name}" for name in written)
        rest = ", ".join(f"{name} = excluded.{name}" for name in written if name not in key.split(", "))
        self.insert_sql = f"INSERT INTO {name} ({', '.join(written)}) VALUES ({places})"  # noqa: S608 (our own names)
        self.upsert_sql = f"{self.insert_sql} ON CONFLICT ({key}) DO UPDATE SET {rest}"

    def bindings(self, row: RowT) -> dict[str, Any]:
        """The row as named parameters of `insert_sql` and `upsert_sql`."""
        return {
            name: msgspec.json.encode(getattr(row, name)).decode() if is_json else getattr(row, name)
            for name, is_json in self._writers
        }

    def read(self, cursor: Iterable[tuple[Any, ...]]) -> list[RowT]:
        """All rows of a SELECT of `columns`, in their order."""
        return [
            self._row(**{name: read(value) for (name, read), value in zip(self._readers, values, strict=True)})
            for values in cursor
        ]


def _reader(field: msgspec.structs.FieldInfo) -> Callable[[Any], Any]:
    if field.name in _JSON_FIELDS:
        return msgspec.json.Decoder(field.type).decode
    if field.type is bool:
        return bool
    if field.type is str:
        return str
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


INCIDENTS = Table("incidents", IncidentRow, key="incident_id")
EXECUTIONS = Table("executions", ExecutionRow, key="execution_id")
TRANSITIONS = Table("transitions", TransitionRow, key="transition_id", numbered="transition_id")
CONDITIONS = Table("condition_states", ConditionRow, key="agent_id, probe, target, layer")
PAGES = Table("pages", PageRow, key="page_id")
SELF_HEALTH = Table("self_health", SelfHealthRow, key="agent_id")
GAPS = Table("gaps", GapRow, key="stream, first_seq")
PLAYBOOKS = Table("playbooks", PlaybookRow, key="agent_id, id")
AGENTS = Table("agents", AgentRow, key="agent_id")
