"""The table of what Guardian does about each fault says what was measured, and that is still so."""

import pytest
from tests.bed.conftest import runner
from tests.bed.coverage import TABLE, recorded, table
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Mend, Scene
from tests.bed.guardian import Guardian
from tests.bed.verdicts import Kind, verdict_on


def test_every_fault_has_a_verdict_and_no_other() -> None:
    assert set(recorded()) == {fault.id for fault in FAULTS}


def test_the_table_is_made_of_the_record() -> None:
    assert TABLE.read_text() == table(FAULTS, recorded()), "python -m tests.bed.coverage write"


def test_nothing_is_healed_that_a_host_cannot_mend() -> None:
    verdicts = recorded()
    assert [
        fault.id for fault in FAULTS if fault.mend is Mend.ELSEWHERE and verdicts[fault.id].kind is Kind.HEALED
    ] == []


@pytest.fixture(scope="module")
def aggregated(scene: Scene) -> Guardian:
    """The aggregator on the hub; each verdict starts an agent of its own."""
    with runner() as running:
        guardian = running.run(Guardian.on(scene.fleet))
        running.run(guardian.start_aggregator())
        return guardian


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.id for fault in FAULTS])
async def test_guardian_does_what_the_table_says(scene: Scene, aggregated: Guardian, fault: Fault) -> None:
    told = await verdict_on(fault, scene, aggregated)
    assert told.kind is recorded()[fault.id].kind, told  # of several symptoms, which comes first is chance
