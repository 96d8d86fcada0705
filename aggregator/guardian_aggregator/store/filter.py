"""What part of the fleet and of time a question is about, and its SQL."""

import msgspec

Bindings = dict[str, int | str | None]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Each field that is set narrows the answer. `since_ns` belongs to the window, `until_ns` does not (wall clock)."""

    since_ns: int | None = None
    until_ns: int | None = None
    host: str | None = None
    labels: dict[str, str] = {}
    issue_type: str | None = None
    playbook: str | None = None
    layer: int | None = None
    component: str | None = None
    open: bool | None = None
    outcomes: tuple[str, ...] = ()  # any of these; of executions only
    unhealed_since_ns: int | None = None  # incidents that a human had to end, or open since before then


class Columns(msgspec.Struct, frozen=True):
    """How one table answers to a Filter: conditions on its named parameters (`time`: a column). None: it does not."""

    time: str | None
    component: str | None = None
    issue_type: str | None = None
    layer: str | None = None
    playbook: str | None = None
    open: str | None = None  # true of the rows that are open
    outcomes: str | None = None  # `outcomes`: a JSON list
    unhealed: str | None = None


# Of an incident are those pages only that its own agent sent.
_OF_INCIDENTS = "(incident_id, agent_id) IN (SELECT incident_id, agent_id FROM incidents WHERE {})"

INCIDENT_COLUMNS = Columns(
    time="first_bad_at",
    component="target = :component",
    issue_type="issue_type = :issue_type",
    layer="layer = :layer",
    playbook="healed_by = :playbook",
    open="closed_at IS NULL",
    unhealed=(
        "explained_by = '' AND NOT held AND (exhausted OR resolution = 'manual'"
        " OR (closed_at IS NULL AND first_bad_at < :unhealed_since_ns))"
    ),
)
EXECUTION_COLUMNS = Columns(
    time="started_at",
    component="target = :component",
    issue_type="issue_type = :issue_type",
    layer="layer = :layer",
    playbook="playbook = :playbook",
    open="outcome IS NULL",
    outcomes="outcome IN (SELECT value FROM json_each(:outcomes))",
)
PAGE_COLUMNS = Columns(
    time="at",
    component="target = :component",
    issue_type=_OF_INCIDENTS.format("issue_type = :issue_type"),
    layer=_OF_INCIDENTS.format("layer = :layer"),
    playbook="(incident_id, agent_id) IN (SELECT incident_id, agent_id FROM executions WHERE playbook = :playbook)",
)
TRANSITION_COLUMNS = Columns(
    time="at",
    component="target = :component",
    issue_type="issue_type = :issue_type",
    layer="layer = :layer",
    playbook="issue_type IN (SELECT h.value FROM playbooks p, json_each(p.heals) h WHERE p.id = :playbook)",
)
CONDITION_COLUMNS = msgspec.structs.replace(TRANSITION_COLUMNS, time=None)
GAP_COLUMNS = Columns(time="at")
HOST_COLUMNS = Columns(time=None)


def where(f: Filter, columns: Columns) -> tuple[str, Bindings]:
    """The WHERE clause (never empty) for a table whose host is `agent_id`, and its named parameters."""
    terms = ["1"]
    bindings: Bindings = {}

    def narrow(term: str | None, name: str, value: int | str | None) -> None:
        if term is not None and value is not None:
            terms.append(term)
            bindings[name] = value

    narrow(columns.time and f"{columns.time} >= :since_ns", "since_ns", f.since_ns)
    narrow(columns.time and f"{columns.time} < :until_ns", "until_ns", f.until_ns)
    narrow("agent_id = :host", "host", f.host)
    narrow(columns.component, "component", f.component)
    narrow(columns.issue_type, "issue_type", f.issue_type)
    narrow(columns.layer, "layer", f.layer)
    narrow(columns.playbook, "playbook", f.playbook)
    narrow(columns.outcomes, "outcomes", msgspec.json.encode(f.outcomes).decode() if f.outcomes else None)
    narrow(columns.unhealed, "unhealed_since_ns", f.unhealed_since_ns)
    if columns.open is not None and f.open is not None:
        terms.append(columns.open if f.open else f"NOT ({columns.open})")
    for number, (key, value) in enumerate(sorted(f.labels.items())):
        label = f"key = :key{number} AND value = :value{number}"
        terms.append(f"agent_id IN (SELECT agent_id FROM agent_labels WHERE {label})")  # noqa: S608 (numbers)
        bindings |= {f"key{number}": key, f"value{number}": value}
    return " AND ".join(terms), bindings
