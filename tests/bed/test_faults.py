"""Every fault of the catalogue, with no agent about: it shows to a client, and reverting it takes it away again."""

import pytest
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Scene
from tests.bed.faults.traces import traces
from tests.bed.waiting import until
from tests.bed.workloads.workloads import UNITS


def _parameter(fault: Fault) -> object:
    return pytest.param(fault, id=fault.id, marks=[] if fault.in_make_test else [pytest.mark.full])


@pytest.mark.parametrize("fault", [_parameter(fault) for fault in FAULTS])
async def test_a_fault_shows_and_goes(scene: Scene, fault: Fault) -> None:
    async def broken() -> bool:
        return await fault.symptom(scene)

    async def well() -> bool:
        return not await fault.symptom(scene)

    assert await well(), f"{fault.id} shows before it is there"
    before = await traces(scene, UNITS)
    try:
        await fault.inject(scene)
        await until(broken, f"{fault.id} shows", within_s=fault.shows_within_s)
    finally:
        await fault.revert(scene)
    await until(well, f"{fault.id} is gone", within_s=fault.shows_within_s)
    await fault.revert(scene)  # it may be called again
    await until(well, f"{fault.id} stays away", within_s=fault.shows_within_s)

    async def clean() -> bool:
        return await traces(scene, UNITS) == before

    try:
        await until(clean, "no trace is left", within_s=5.0)
    except TimeoutError:
        assert await traces(scene, UNITS) == before
    assert scene.spawned == {}
