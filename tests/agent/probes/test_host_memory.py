import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM, FakeKernel
from tests.agent.probes.asking import look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Memory, Pressure
from guardian_agent.probes.host_memory import HostMemory

MIB = 1 << 20
ENOUGH = Memory(total_bytes=1000 * MIB, available_bytes=500 * MIB, swap_total_bytes=0, swap_free_bytes=0)
LITTLE = msgspec.structs.replace(ENOUGH, available_bytes=20 * MIB)


@pytest.mark.parametrize(
    ("memory", "some", "full", "issue_type"),
    [
        (ENOUGH, 0.0, 0.0, ""),
        (ENOUGH, 90.0, 19.9, ""),
        (ENOUGH, 90.0, 20.0, "memory_pressure"),
        (LITTLE, 0.0, 0.0, ""),  # huge pages, or ZFS's cache: nobody waits
        (LITTLE, 0.1, 0.0, "memory_pressure"),
        (msgspec.structs.replace(LITTLE, swap_total_bytes=100 * MIB, swap_free_bytes=50 * MIB), 0.1, 0.0, ""),
        (msgspec.structs.replace(LITTLE, swap_total_bytes=100 * MIB), 0.1, 0.0, "memory_pressure"),
        (msgspec.structs.replace(ENOUGH, available_bytes=31 * MIB), 0.1, 0.0, ""),
    ],
)
async def test_what_counts_is_standing_still_or_having_nothing_left_while_somebody_waits(
    memory: Memory, some: float, full: float, issue_type: str
) -> None:
    host = FakeHost()
    host.kernel.memory_now = memory
    host.kernel.pressures["memory"] = msgspec.structs.replace(CALM, some_avg10=some, full_avg10=full)
    assert await sees(HostMemory, host) == issue_type


async def test_a_kernel_without_psi_is_judged_by_the_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lacking(_: FakeKernel, resource: str) -> Pressure:
        raise ProbeError(f"no pressure of {resource}")

    monkeypatch.setattr(FakeKernel, "pressure", lacking)
    host = FakeHost()
    assert await sees(HostMemory, host) == ""
    host.kernel.memory_now = LITTLE
    assert await sees(HostMemory, host) == "memory_pressure"
    assert (await look(HostMemory, host)).evidence["stalled_percent"] is None
