"""A host that is a dictionary: it answers for its workloads, changes by operations, and misbehaves as told."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from tests.agent import fake_files
from tests.agent.fake_clients import FakeClients
from tests.agent.fake_files import Kept
from tests.agent.fake_firewall import FakeFirewall
from tests.agent.fake_machine import FakeFiles, FakeKernel
from tests.agent.fake_network import FakeNetlink, FakePackets
from tests.agent.fake_ports import FakePorts
from tests.agent.fake_resources import FakeDisk
from tests.agent.fake_routing import apply as apply_to_network
from tests.agent.fake_secrets import FakeSecrets
from tests.agent.fake_units import FakeUnits
from tests.agent.fake_workloads import FakeCommand, FakeUnit, FakeWorkload

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.host import (
    Answer,
    Drift,
    Growth,
    Known,
    Listener,
    Outgoing,
    ProcessState,
    ProcessUse,
    ProgramEnd,
    Queue,
)
from guardian_agent.host.operations import (
    ArtifactOperation,
    CheckSecret,
    CleanupOperation,
    CompressFile,
    DecompressFile,
    DeleteFiles,
    DestroySockets,
    DropInOperation,
    FirewallOperation,
    KillProcess,
    KillUnit,
    LimitOperation,
    NetworkOperation,
    Operation,
    PortOperation,
    PutBackArtifact,
    PutBackSecret,
    QuarantineArtifact,
    ReleaseOperation,
    ReloadUnit,
    RemoveDropIn,
    RemoveText,
    RenewSecret,
    ReplaceTables,
    ResetFailedUnit,
    ResetSysctl,
    ResetUnitLimit,
    ResolverOperation,
    RestartUnit,
    RunProgram,
    SecretOperation,
    SettingOperation,
    SetUnitLimit,
    StartCommand,
    StartForeignUnit,
    StartUnit,
    StopCommand,
    StopForeignUnit,
    StopUnit,
    SwitchRelease,
    VacuumJournal,
    WriteDropIn,
    WriteLink,
    WriteSysctl,
    WriteText,
)
from guardian_agent.host.questions import ListCleaned, ListHeldFiles, ListRemovable, PortHolders, Question, ReadRuleset
from guardian_agent.model import Endpoint, Stamp

T = TypeVar("T")
WALL_S = 1_800_000_000  # wall time at loop time 0
DoneAtOnce = (
    SettingOperation
    | FirewallOperation
    | ArtifactOperation
    | ReleaseOperation
    | ResolverOperation
    | CleanupOperation
    | LimitOperation
    | NetworkOperation
    | PortOperation
    | DropInOperation
)
Behaviour = Literal["fails", "refused", "unreachable", "half", "hangs", "raises", "lies"]


class FakeClock:
    """Reads the loop's time; `offset_s` is what a test added to it."""

    def __init__(self) -> None:
        self.boot_id = "boot-1"
        self.offset_s = 0.0
        self.booted_s = 0.0

    def now(self) -> Stamp:
        seconds = asyncio.get_running_loop().time() + self.offset_s
        return Stamp(self.boot_id, int((seconds - self.booted_s) * 1e9), int((WALL_S + seconds) * 1e9))


class FakeSockets:
    """Answers for what the workloads serve; `answers` (by endpoint or URL) and `strangers` (by port) go first."""

    def __init__(self, workloads: Callable[[], list[FakeWorkload]], firewall: FakeFirewall) -> None:
        self._firewall = firewall
        self._workloads = workloads
        self.answers: dict[Endpoint | str, Answer | Exception] = {}
        self.strangers: dict[int, Listener] = {}
        self.most_outgoing = Outgoing(ports=0, to=None)

    async def listener(self, endpoint: Endpoint) -> Listener | None:
        if endpoint.port in self.strangers:
            return self.strangers[endpoint.port]
        if (workload := self._listening(endpoint.port)) is None or workload.serves is None:
            return None
        return Listener(
            endpoint=workload.serves,
            uid=33,
            inode=workload.number,
            cgroup_id=workload.number if isinstance(workload, FakeUnit) else None,
            backlog=workload.waiting,
            backlog_limit=511,
        )

    async def listeners(self, endpoint: Endpoint) -> list[Listener]:
        found = await self.listener(endpoint)
        return [found] if found else []

    async def listening(self) -> list[Listener]:
        serving = [one.serves for one in self._workloads() if one.listening and one.serves]
        found = [await self.listener(endpoint) for endpoint in serving]
        return [*self.strangers.values(), *(one for one in found if one)]

    async def queue(self, port: int) -> Queue:
        workload = self._listening(port)
        taken, waiting = (workload.taken, workload.waiting) if workload else (0, 0)
        return Queue(taken=frozenset(range(taken)), waiting=frozenset(range(taken, taken + waiting)))

    async def outgoing(self, low: int, high: int, *, time_wait: bool = True) -> Outgoing:
        return self.most_outgoing

    def _listening(self, port: int) -> FakeWorkload | None:
        serving = (one for one in self._workloads() if one.listening and one.serves and one.serves.port == port)
        return next(serving, None)

    async def ports_in_use(self, low: int, high: int) -> set[int]:
        serving = {one.serves.port for one in self._workloads() if one.listening and one.serves}
        return {port for port in serving | set(self.strangers) if low <= port <= high}

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> Answer:
        if endpoint in self.answers:
            return self._scripted(endpoint)
        if self._firewall.drops(endpoint.port):
            await asyncio.sleep(timeout_s)
            return Answer(connected=False, timed_out=True, elapsed_s=timeout_s)
        connected = await self.listener(endpoint) is not None
        return Answer(connected=connected, refused=not connected)

    async def http_get(self, url: str, timeout_s: float) -> Answer:
        if url in self.answers:
            return self._scripted(url)
        workload = next((workload for workload in self._workloads() if workload.url == url), None)
        if workload is None or not workload.up or workload.deaf:
            return Answer(connected=False, refused=True)
        if workload.frozen:
            await asyncio.sleep(timeout_s)
            return Answer(connected=True, elapsed_s=timeout_s)
        return Answer(connected=True, status=workload.status)

    def _scripted(self, key: Endpoint | str) -> Answer:
        answer = self.answers[key]
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeProcesses:
    """The dictionary of commands, by component."""

    def __init__(self) -> None:
        self.by_name: dict[str, FakeCommand] = {}
        self.told: dict[str, str] = {}  # the environment that a check was given last
        self.greedy: list[ProcessUse] = []
        self.checks: dict[str, ProgramEnd] = {}  # how programs that only look end, by their first word

    async def check(
        self, argv: tuple[str, ...], timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> ProgramEnd:
        self.told = dict(environment or {})
        end = self.checks.get(argv[0], ProgramEnd(exit_code=0))
        if end.exit_code is None:
            await asyncio.sleep(timeout_s)
        return end

    async def command(self, component: str) -> ProcessState | None:
        command = self.by_name.get(component)
        if command is None or not command.started:
            return None
        status = "" if not command.up else "T" if command.frozen else "S"
        return ProcessState(
            pid=command.number, start_ticks=command.number, alive=command.up, status=status, exit_code=command.exit_code
        )

    async def wait_exit(self, component: str) -> None:
        command = self.by_name.get(component)
        if command and command.up:
            await command.gone.wait()

    async def busiest(self, most: int) -> list[ProcessUse]:
        return self.greedy[:most]

    async def holders(self, listener: Listener) -> list[ProcessState]:
        pid = listener.inode
        return [ProcessState(pid=pid, start_ticks=pid, alive=True, status="S", session=pid)]


class FakeHost:
    """One machine, made of dictionaries. `done` is every operation that was asked for, in order."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.units = FakeUnits()
        self.processes = FakeProcesses()
        self.netlink = FakeNetlink()
        self.packets = FakePackets()
        self.files = FakeFiles()
        self.secrets = FakeSecrets(self.files, lambda: self.clock.now().wall_ns / 1e9)
        self.kernel = FakeKernel()
        self.known = Known()
        self.growth = Growth()
        self.drift = Drift()
        self.firewall = FakeFirewall()
        self.sockets = FakeSockets(
            lambda: [*self.units.by_name.values(), *self.processes.by_name.values()], self.firewall
        )
        self.clients = FakeClients(lambda: [*self.units.by_name.values(), *self.processes.by_name.values()])
        self.done: list[Operation] = []
        self.armed: list[Operation] = []  # what is taken back by itself when the agent is not heard of again
        self.ports = FakePorts(self.sockets.strangers, self.sockets._workloads)
        self.disk = FakeDisk(lambda: self.files.mounted)
        # What root answers, by the question's type; an exception is raised, a function is asked.
        self.answers: dict[type[Any], Any] = {
            ListRemovable: self.disk.removable,
            ListHeldFiles: self.disk.held_files,
            ListCleaned: self.disk.told_cleaned,
            ReadRuleset: self.firewall.read,
            PortHolders: lambda question: self.ports.use_of(question.port),
        }
        self.reloaded: list[str] = []
        self.programs: dict[str, Callable[[], object]] = {}  # what running a program does, by its first word
        self.quarantine: dict[str, Kept] = {}  # by the name under which it was kept
        self._scripts: list[_Script] = []
        self._numbers = 10

    def unit(self, name: str, *, serves: Endpoint | None = None, url: str | None = None, up: bool = True) -> FakeUnit:
        """A new unit, up at once; it listens on `serves` and answers at `url` while it is up."""
        self._numbers += 1
        unit = self.units.by_name[name] = FakeUnit(name, serves, url, self._numbers, self.units.emit)
        if up:
            unit.come_up()
        return unit

    def command(
        self, name: str, *, serves: Endpoint | None = None, url: str | None = None, up: bool = True
    ) -> FakeCommand:
        """A new command of the component `name`, up at once."""
        self._numbers += 1
        command = self.processes.by_name[name] = FakeCommand(name, serves, url, self._numbers)
        if up:
            command.come_up()
        return command

    def script(self, operation: type[Any], *behaviours: Behaviour, times: float = 1) -> None:
        """The next operations of a kind misbehave, one behaviour each, the last one `times` times (`math.inf`: always).

        fails: raises, nothing done. refused, unreachable: the same, and says so.

        half: raises, all done. hangs: does nothing and never returns. raises: an error
        nobody expects. lies: does nothing, and says that it did.
        """
        for behaviour in behaviours[:-1]:
            self._scripts.append(_Script(operation, behaviour, 1))
        self._scripts.append(_Script(operation, behaviours[-1], times))

    def changes(self) -> list[str]:
        """The operations asked for, as typed by hand."""
        return [operation.describe() for operation in self.done]

    async def keep(self, *, of_others: bool = False) -> None:
        self.armed.clear()

    async def let_go(self) -> None:
        """Whoever has it armed takes it back, the newest first."""
        while self.armed:
            await self._apply(self.armed.pop())

    async def do(self, operation: Operation, undo: Operation | None = None) -> None:
        if operation.may_cut_off and undo is not None:
            self.armed.append(undo)
        self.done.append(operation)
        behaviour = self._next_behaviour(operation)
        if behaviour == "hangs":
            await asyncio.Event().wait()
        if behaviour == "raises":
            raise LookupError(f"a bug in {operation.describe()}")
        if behaviour in ("fails", "refused", "unreachable"):
            errors = {"refused": RefusedOperationError, "unreachable": UnknownResultError}
            raise errors.get(behaviour, OperationError)(f"{operation.describe()}: refused")
        if behaviour != "lies":
            await self._apply(operation)
        if behaviour == "half":
            raise OperationError(f"{operation.describe()}: nobody knows how it ended")

    async def ask(self, question: Question[T]) -> T:
        answer = self.answers.get(type(question), ProbeError(f"{question.describe()}: nobody here is root"))
        nobody = ProbeError(f"{question.describe()}: nobody here is root")
        answer = self.answers.get(type(question), nobody)
        if isinstance(answer, Exception):
            raise answer
        found: T = answer(question) if callable(answer) else answer
        return found

    def _next_behaviour(self, operation: Operation) -> Behaviour | None:
        for script in self._scripts:
            if isinstance(operation, script.operation) and script.left > 0:
                script.left -= 1
                return script.behaviour
        return None

    async def _apply(self, operation: Operation) -> None:
        match operation:
            case StartUnit() | StopUnit() | RestartUnit() | KillUnit() | ResetFailedUnit():
                await self._apply_to_unit(operation)
            case StartCommand(component=name):
                await self._start_command(name)
            case StopCommand(component=name, grace_s=grace_s):
                await self._stop_command(name, grace_s)
            case RunProgram(argv=argv):
                self.programs.get(argv[0], lambda: None)()
            case RenewSecret() | PutBackSecret() | CheckSecret() | ReloadUnit():
                await self._apply_to_secret(operation)
            case _:
                self._apply_at_once(operation)

    def _apply_at_once(self, operation: DoneAtOnce) -> None:
        match operation:
            case ReplaceTables():
                self.firewall.apply(operation)
            case KillProcess() | StopForeignUnit() | StartForeignUnit() | DestroySockets():
                self.ports.apply(operation)
            case WriteDropIn() | RemoveDropIn():
                self.ports.drop_in(operation)
            case WriteSysctl() | ResetSysctl():
                self.kernel.set(operation)
            case WriteText() | WriteLink() | RemoveText() | QuarantineArtifact() | PutBackArtifact() | SwitchRelease():
                fake_files.change(self.files, self.quarantine, operation, self.clock.now().wall_ns / 1e9)
            case DeleteFiles() | CompressFile() | DecompressFile() | VacuumJournal():
                self.disk.apply(operation)
            case SetUnitLimit() | ResetUnitLimit():
                self._set_limit(operation)
            case _:
                apply_to_network(self.netlink, operation)

    def _set_limit(self, operation: LimitOperation) -> None:
        value = self.units.shares.apply(operation)
        if operation.name == "CPUWeight":
            self.kernel.weigh(operation.unit, value)

    async def _apply_to_secret(self, operation: SecretOperation) -> None:
        match operation:
            case RenewSecret():
                self.secrets.renew(operation)
            case PutBackSecret(reload=unit):
                self.secrets.put_back(operation)
                await self._reload(unit)
            case CheckSecret():
                self.secrets.check(operation)
            case ReloadUnit(unit=unit):
                await self._reload(unit)

    async def _apply_to_unit(self, operation: StartUnit | StopUnit | RestartUnit | KillUnit | ResetFailedUnit) -> None:
        unit = self._known(operation.unit)
        if isinstance(operation, StartUnit | RestartUnit):
            self.ports.before_start(unit)
        match operation:
            case StartUnit():
                await unit.job("start", ours=True)
            case StopUnit():
                await unit.job("stop", ours=True)
            case RestartUnit():
                await unit.job("restart", ours=True)
            case KillUnit(signal=signal) if unit.up and (signal == "SIGKILL" or not unit.frozen):
                unit.crash()
            case ResetFailedUnit() if unit.active_state == "failed":
                unit.go_down()

    async def _reload(self, name: str) -> None:
        if name and (unit := self._known(name)).broken:
            raise OperationError(unit.broken)
        self.reloaded.append(name)

    def _known(self, unit: str) -> FakeUnit:
        if self.units.unreachable:
            raise UnknownResultError(self.units.unreachable)
        if unit not in self.units.by_name:
            raise RefusedOperationError(f"systemd knows no {unit}")
        return self.units.by_name[unit]

    async def _start_command(self, name: str) -> None:
        command = self.processes.by_name.setdefault(name, FakeCommand(name, None, None, self._numbers))
        if command.broken:
            raise OperationError(command.broken)
        if not command.up:
            await asyncio.sleep(command.start_s)
            command.come_up()

    async def _stop_command(self, name: str, grace_s: float) -> None:
        command = self.processes.by_name.get(name)
        if command and command.up:
            await asyncio.sleep(grace_s if command.frozen else min(grace_s, 0.01))
            command.crash(-9 if command.frozen else -15)


class _Script(msgspec.Struct):
    operation: type[Any]
    behaviour: Behaviour
    left: float = math.inf
