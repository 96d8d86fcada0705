"""Where a stream stands, and what of a batch is new to it: nothing is stored twice, nor with a hole."""

from collections.abc import Sequence

import msgspec

from guardian_aggregator.errors import Refused
from guardian_aggregator.model import GapRow, RecordBatch, RecordEntry


class Position(msgspec.Struct, frozen=True):
    """All up to `watermark` is stored; `chain` is its chain value, None where a gap made it unknown."""

    watermark: int
    chain: bytes | None


class Fitted(msgspec.Struct, frozen=True):
    """What of a batch is to be stored, and where the stream stands with it."""

    entries: Sequence[RecordEntry]
    position: Position


def fit(batch: RecordBatch, position: Position) -> Fitted:
    """Trims off what is stored already, and compares the chains at the watermark wherever the batch shows its own.

    Raises:
        Refused: OUT_OF_ORDER when a record between the watermark and the batch is missing; EPOCH_FORK when the batch
            goes on from other records than those stored.
    """
    watermark = position.watermark
    if batch.first_seq > watermark + 1:
        detail = f"the batch begins at {batch.first_seq}, the next record is {watermark + 1}"
        raise Refused("OUT_OF_ORDER", detail, watermark)
    known = sum(1 for entry in batch.entries if entry.last_seq <= watermark)
    fresh = list(batch.entries[known:])
    seen = _chain_at_watermark(batch, known, watermark)
    if seen is not None and position.chain is not None and seen != position.chain:
        detail = f"the batch at {batch.first_seq} does not go on from the records stored up to {watermark}"
        raise Refused("EPOCH_FORK", detail, watermark)
    if fresh and fresh[0].seq <= watermark:
        fresh[0] = _clipped(fresh[0], watermark)
    if not fresh:
        return Fitted((), Position(watermark, position.chain or seen))
    return Fitted(fresh, Position(fresh[-1].last_seq, fresh[-1].chain))


def _chain_at_watermark(batch: RecordBatch, known: int, watermark: int) -> bytes | None:
    """The chain value at the watermark as the batch has it; None when it ends before it, or a gap spans it."""
    end, chain = batch.first_seq - 1, batch.prev_chain
    if known:
        end, chain = batch.entries[known - 1].last_seq, batch.entries[known - 1].chain
    return chain if end == watermark else None


def _clipped(gap: RecordEntry, watermark: int) -> RecordEntry:
    """A gap that an agent made of records some of which are stored: what is missing begins behind the watermark."""
    row = gap.row
    if isinstance(row, GapRow):
        # Which kinds the missing ones had cannot be told apart from those that are stored.
        missing = {"unknown": gap.last_seq - watermark}
        row = msgspec.structs.replace(row, first_seq=watermark + 1, counts=missing)
    return msgspec.structs.replace(gap, seq=watermark + 1, row=row)
