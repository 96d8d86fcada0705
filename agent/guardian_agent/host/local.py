"""The real machine: its readers put together, and every operation carried out."""

from pathlib import Path
from typing import Self, TypeVar, cast

from guardian_agent.errors import OperationError, ProbeError
from guardian_agent.host.as_root import AsRoot
from guardian_agent.host.clients import LocalClients
from guardian_agent.host.clock import LocalClock
from guardian_agent.host.drift import Drift
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.files import LocalFiles
from guardian_agent.host.growth import Growth
from guardian_agent.host.kernel import LocalKernel
from guardian_agent.host.known_good import Known
from guardian_agent.host.netlink import LocalNetlink
from guardian_agent.host.operations import (
    KillUnit,
    Operation,
    ResetFailedUnit,
    RestartUnit,
    RootOperation,
    RunProgram,
    StartCommand,
    StartUnit,
    StopCommand,
    StopUnit,
)
from guardian_agent.host.packets import LocalPackets
from guardian_agent.host.processes import LocalProcesses
from guardian_agent.host.protocols.root import Root
from guardian_agent.host.questions import Question
from guardian_agent.host.sockets import LocalSockets
from guardian_agent.host.units import LocalUnits

T = TypeVar("T")


class LocalHost:
    """This machine. Opens nothing before it is needed: an agent without units never connects to a bus."""

    def __init__(self, state_dir: Path, *, root: Root | None = None, bus_address: str | None = None) -> None:
        """`state_dir`: where the commands are registered; `root`: who does what needs root, this process itself by
        default; `bus_address`: another bus than the system's, for tests."""
        self.netlink = LocalNetlink()
        self.units = LocalUnits(bus_address)
        self._root = root or AsRoot(self.units)
        self.sockets = LocalSockets()
        self.clients = LocalClients()
        self.processes = LocalProcesses(state_dir)
        self.packets = LocalPackets()
        self.files = LocalFiles()
        self.kernel = LocalKernel()
        self.clock = LocalClock()
        self.known = Known()
        self.growth = Growth()
        self.drift = Drift()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of everything; units and commands go on."""
        await self.units.close()
        await self.processes.close()
        self.sockets.close()
        self.netlink.close()
        self.packets.close()
        self.files.close()

    async def do(self, operation: Operation, undo: Operation | None = None) -> None:
        """Carries out one operation and returns when it has taken effect. Raises OperationError."""
        try:
            await self._do(operation, undo)
        except ProbeError as error:  # what has to be read first could not be
            raise OperationError(f"{operation.describe()}: {error}") from error

    async def ask(self, question: Question[T]) -> T:
        """What only root can read. Raises ProbeError."""
        return await self._root.ask(question)

    async def keep(self, *, of_others: bool = False) -> None:
        """What was changed may stay."""
        await self._root.keep(of_others=of_others)

    async def let_go(self) -> None:
        """What is armed is taken back by the executor. Where this process is root itself nothing is armed."""
        if isinstance(self._root, ExecutorClient):
            await self._root.let_go()

    async def _do(self, operation: Operation, undo: Operation | None) -> None:
        match operation:
            case StartUnit():
                await self.units.start(operation)
            case StopUnit():
                await self.units.stop(operation)
            case RestartUnit():
                await self.units.restart(operation)
            case KillUnit():
                await self.units.kill(operation)
            case ResetFailedUnit():
                await self.units.reset_failed(operation)
            case StartCommand():
                await self.processes.start_command(operation)
            case StopCommand():
                await self.processes.stop_command(operation)
            case RunProgram():
                await self.processes.run_program(operation)
            case _:  # all the rest, as the types say, is root's
                await self._root.do(operation, cast(RootOperation | None, undo))
