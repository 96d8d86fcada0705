"""An outside ledger: what the aggregator has stored against what an agent's own journal says, record by record."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.product import VENV
from tests.bed.waiting import until

from guardian_proto.v1.records_pb2 import Record

HUB_STATE = "/var/lib/guardian-aggregator"
AGENT_STATE = "/var/lib/guardian-agent"

# Attempts of earlier tests must not make the next one wait.
AT_ONCE = "".join(
    f"[playbooks.{playbook}]\ncooldown_s = 0.0\nattempts_per_day = 1000\n"
    for playbook in ("restart_service", "restart_component")
)

STREAMS = """
import json, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}/guardian.db?mode=ro", uri=True)
db.execute("BEGIN")
found = []
for stream, epoch, watermark, chain in db.execute(
    "SELECT stream, hex(epoch), watermark, hex(chain) FROM streams WHERE agent_id = ? ORDER BY stream", sys.argv[2:]
).fetchall():
    records = db.execute("SELECT seq, last_seq, kind, hex(raw) FROM records WHERE stream = ? ORDER BY seq", (stream,))
    gaps = db.execute("SELECT first_seq, last_seq, reason FROM gaps WHERE stream = ? ORDER BY first_seq", (stream,))
    found.append({"epoch": epoch, "watermark": watermark, "chain": chain,
                  "records": records.fetchall(), "gaps": gaps.fetchall()})
print(json.dumps(found))
"""

# The agent keeps its database to itself, so a copy is read; nothing may be going on meanwhile.
JOURNAL = """
import json, shutil, sqlite3, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(f"cp {sys.argv[1]}/state.db* {folder}", shell=True, check=True)
    db = sqlite3.connect(f"{folder}/state.db")
    epoch, acked, next_seq = db.execute("SELECT hex(epoch), acked, next_seq FROM outbox_head").fetchone()
    bodies = {table: [json.loads(body) for (body,) in db.execute(f"SELECT body FROM {table} ORDER BY number")]
              for table in ("incident", "execution")}
print(json.dumps({"epoch": epoch, "acked": acked, "next_seq": next_seq,
                  "incidents": bodies["incident"], "executions": bodies["execution"]}))
"""


@dataclass(frozen=True)
class Stream:
    """One epoch of an agent as the aggregator has it; `records` are (seq, last seq, kind, bytes)."""

    epoch: str
    watermark: int
    chain: str
    records: list[tuple[int, int, str, bytes]]
    gaps: list[tuple[int, int, str]]


@dataclass(frozen=True)
class Journal:
    """What an agent's own database says."""

    epoch: str
    acked: int
    next_seq: int
    incidents: list[dict[str, Any]]
    executions: list[dict[str, Any]]


async def streams(hub: Host, agent_id: str) -> list[Stream]:
    """Every epoch of an agent that is stored, oldest first."""
    said = json.loads(await hub.must("python3", "-c", STREAMS, HUB_STATE, agent_id))
    return [
        Stream(
            epoch=each["epoch"],
            watermark=each["watermark"],
            chain=each["chain"],
            records=[(seq, last, kind, bytes.fromhex(raw)) for seq, last, kind, raw in each["records"]],
            gaps=[(first, last, reason) for first, last, reason in each["gaps"]],
        )
        for each in said
    ]


async def journal(host: Host) -> Journal:
    """What the agent on this host has written down, once it has come to rest."""
    return Journal(**json.loads(await host.must(f"{VENV}/bin/python", "-c", JOURNAL, AGENT_STATE)))


def assert_whole(stream: Stream) -> None:
    """Each seq from 1 to the watermark is a record or lies in a gap, and only once; the chain follows from the
    records.

    After a gap `lost_by_server` the chain cannot be followed any more; there it is only the seqs that are compared.
    """
    spans = [(seq, last) for seq, last, _, _ in stream.records]
    spans += [(first, last) for first, last, reason in stream.gaps if reason == "lost_by_server"]
    expected = 1
    for first, last in sorted(spans):
        assert first == expected, f"{first} follows on {expected - 1} in epoch {stream.epoch}"
        expected = last + 1
    assert stream.watermark == expected - 1
    if not any(reason == "lost_by_server" for *_, reason in stream.gaps):
        assert chained(stream.records).hex().upper() == stream.chain


def chained(records: list[tuple[int, int, str, bytes]]) -> bytes:
    """The chain value after the last record, from the records alone."""
    chain = bytes(32)
    for _, _, kind, raw in records:
        chain = Record.FromString(raw).gap.last_chain if kind == "gap" else hashlib.sha256(chain + raw).digest()
    return chain


async def assert_nothing_lost(guardian: Guardian, host: Host) -> Journal:
    """The agent's present epoch is stored to its last record, each once; incidents and executions tell the same times.

    Waits until the agent has come to rest.
    """
    hub = guardian.fleet.hub

    async def at_rest() -> list[tuple[Journal, Stream]]:
        status = await guardian.status(host)
        if status["incidents"] or status["uplink"]["unacknowledged"] or not status["uplink"]["connected"]:
            return []
        own = await journal(host)
        stream = (await streams(hub, status["agent"]))[-1]
        over = all(incident["closed_at"] for incident in own.incidents)  # one may have begun since the status was asked
        return [(own, stream)] if over and own.acked == own.next_seq - 1 == stream.watermark else []

    ((own, stream),) = await until(at_rest, f"the aggregator has all records of {host.name}", within_s=40, every_s=0.2)
    assert own.epoch == stream.epoch
    assert_whole(stream)
    for incident in own.incidents:
        told = await guardian.get(f"/api/guardian/incidents/{incident['incident_id']}")
        begin = incident["first_bad_at"]
        assert told["time_to_recover_seconds"] == seconds(begin, incident["verified_at"])
        assert told["time_to_detect_seconds"] == seconds(begin, incident["detected_at"])
        ran = {each["id"]: (each["outcome"], each["duration_seconds"]) for each in told["executions"]}
        assert ran == {
            each["execution_id"]: (each["outcome"], seconds(each["started_at"], each["finished_at"]))
            for each in own.executions
            if each["incident_id"] == incident["incident_id"]
        }
    return own


def seconds(earlier: dict[str, Any], later: dict[str, Any] | None) -> float | None:
    """From one of the journal's stamps to another, by boot time; by wall time across boots."""
    if later is None:
        return None
    clock = "boottime_ns" if earlier["boot_id"] == later["boot_id"] else "wall_ns"
    return float(later[clock] - earlier[clock]) / 1e9
