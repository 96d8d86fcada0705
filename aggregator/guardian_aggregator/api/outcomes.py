"""How executions ended, counted."""

from collections.abc import Mapping

import msgspec

from guardian_aggregator.model import Outcome
from guardian_aggregator.stats import ratio

FAILED = (Outcome.INEFFECTIVE, Outcome.ROLLED_BACK, Outcome.STUCK, Outcome.INTERRUPTED, Outcome.INCONCLUSIVE)
"""Ran, and did not heal. What never ran, or never claimed to heal, is neither a success nor a failure."""

ATTEMPTED = (Outcome.HEALED, *FAILED)


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """`success_rate`: healed of all that tried to heal and ended; null when none did."""

    total: int
    running: int
    by_outcome: dict[str, int]
    success_rate: float | None


def count_outcomes(counts: Mapping[tuple[str, str | None], int], playbook: str | None = None) -> Executions:
    """Sums up counts by (playbook, outcome), of one playbook or of all."""
    by_outcome = {outcome.value: 0 for outcome in Outcome}
    running = 0
    for (name, outcome), count in counts.items():
        if playbook is not None and name != playbook:
            continue
        if outcome is None:
            running += count
        else:
            by_outcome[outcome] = by_outcome.get(outcome, 0) + count
    return Executions(
        total=running + sum(by_outcome.values()),
        running=running,
        by_outcome=by_outcome,
        success_rate=ratio(by_outcome[Outcome.HEALED], sum(by_outcome[each] for each in ATTEMPTED)),
    )
