"""What a fake host runs: units and commands that come up, serve, freeze and crash."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

from guardian_agent.errors import OperationError
from guardian_agent.host import UnitEvent, UnitState
from guardian_agent.model import Endpoint

STOP_TIMEOUT_S = 90.0  # how long systemd waits for a frozen service before it kills it


class FakeWorkload:
    """What a unit and a command have in common: it is up or not, and may serve a port and a page."""

    def __init__(self, name: str, serves: Endpoint | None, url: str | None, number: int) -> None:
        self.name = name
        self.serves = serves
        self.url = url
        self.number = number  # of its processes and its control group
        self.up = False
        self.frozen = False
        self.deaf = False  # up, and not listening
        self.status = 200
        self.waiting = 0  # connections in its queue …
        self.taken = 0  # … and those that it took
        self.start_s = 0.02
        self.broken = ""  # why starting it fails
        self.deaf_starts = 0  # so many of the next starts come up and do not listen

    @property
    def listening(self) -> bool:
        return self.up and not self.deaf and self.serves is not None

    def come_up(self) -> None:
        self.up, self.frozen, self.status = True, False, 200
        self.deaf = self.deaf_starts > 0
        self.deaf_starts = max(0, self.deaf_starts - 1)
        self.number += 100

    def freeze(self) -> None:
        """As by SIGSTOP: it is there, takes connections, and says nothing."""
        self.frozen = True


class FakeUnit(FakeWorkload):
    """A systemd service, by its properties; its jobs take time and emit events as systemd's do."""

    def __init__(
        self, name: str, serves: Endpoint | None, url: str | None, number: int, emit: Callable[[UnitEvent], None]
    ) -> None:
        super().__init__(name, serves, url, number)
        self._emit = emit
        self.load_state = "loaded"
        self.active_state, self.sub_state, self.result = "inactive", "dead", "success"
        self.job_id, self.job_type = 0, ""
        self.active_since_s = 0.0
        self.restarts = 0
        self.restart_after_s: float | None = None  # Restart=always, and its RestartSec
        self._jobs = 0
        self._tasks: list[asyncio.Future[None]] = []

    @property
    def control_group(self) -> str:
        return f"/system.slice/{self.name}" if self.up else ""

    def state(self) -> UnitState:
        return UnitState(
            unit=self.name,
            load_state=self.load_state,
            active_state=self.active_state,
            sub_state=self.sub_state,
            result=self.result,
            job_id=self.job_id,
            job_type=self.job_type,
            control_group=self.control_group,
            restarts=self.restarts,
            active_since_s=self.active_since_s,
        )

    def come_up(self) -> None:
        super().come_up()
        self.active_since_s = asyncio.get_running_loop().time()
        self._be("active", "running", "success")

    def go_down(self, active_state: str = "inactive", result: str = "success") -> None:
        self.up = self.frozen = False
        self._be(active_state, "failed" if active_state == "failed" else "dead", result)

    def crash(self, result: str = "signal") -> None:
        """Its main process is gone; with `restart_after_s` systemd will start it again by itself."""
        if self.restart_after_s is None:
            self.go_down("failed", result)
            return
        self.up = self.frozen = False
        self._be("activating", "auto-restart", result)
        asyncio.get_running_loop().call_later(self.restart_after_s, self._restart_by_systemd)

    def mask(self) -> None:
        self.load_state = "masked"
        self._changed()

    async def by_hand(self, verb: Literal["start", "stop", "restart"]) -> None:
        """What `systemctl VERB` by an operator or a package does; a start that fails raises nothing here."""
        with contextlib.suppress(OperationError):
            await self.job(verb, ours=False)

    async def job(self, verb: str, *, ours: bool) -> None:
        """One job of systemd; whoever stops waiting for it does not stop it. Raises OperationError."""
        task = asyncio.ensure_future(self._job(verb, ours=ours))
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._tasks.append(task)
        await asyncio.shield(task)

    async def _job(self, verb: str, *, ours: bool) -> None:
        self._jobs += 1
        number = self._jobs + 1000 * self.number
        self.job_id, self.job_type = number, verb
        self._emit(UnitEvent(unit=self.name, kind="job_new", job_id=number, job_type=verb, ours=ours))
        try:
            if verb != "start" and self.up:
                await self._stop()
            if verb != "stop" and not self.up:
                await self._start()
        finally:
            self.job_id, self.job_type = 0, ""
            done = (self.up if verb != "stop" else not self.up) and self.active_state != "deactivating"
            self._emit(
                UnitEvent(
                    unit=self.name,
                    kind="job_removed",
                    job_id=number,
                    job_type=verb,
                    job_result="done" if done else "failed",
                    ours=ours,
                )
            )

    async def _stop(self) -> None:
        self._be("deactivating", "stop-sigterm", "success")
        await asyncio.sleep(STOP_TIMEOUT_S if self.frozen else 0.01)
        self.go_down("failed" if self.frozen else "inactive", "timeout" if self.frozen else "success")

    async def _start(self) -> None:
        if self.load_state != "loaded":
            raise OperationError(f"{self.name} is {self.load_state}")
        self._be("activating", "start", "success")
        await asyncio.sleep(self.start_s)
        if self.broken:
            self.go_down("failed", "exit-code")
            raise OperationError(self.broken)
        self.come_up()

    def _restart_by_systemd(self) -> None:
        if self.active_state == "activating" and not self.job_id:
            self.restarts += 1
            self._tasks.append(asyncio.ensure_future(self.by_hand("restart")))

    def _be(self, active_state: str, sub_state: str, result: str) -> None:
        self.active_state, self.sub_state, self.result = active_state, sub_state, result
        self._changed()

    def _changed(self) -> None:
        self._emit(UnitEvent(unit=self.name, kind="changed"))


class FakeCommand(FakeWorkload):
    """A component's own command."""

    def __init__(self, name: str, serves: Endpoint | None, url: str | None, number: int) -> None:
        super().__init__(name, serves, url, number)
        self.started = False
        self.exit_code: int | None = None
        self.gone = asyncio.Event()

    def come_up(self) -> None:
        super().come_up()
        self.started, self.exit_code = True, None
        self.gone = asyncio.Event()

    def crash(self, exit_code: int = -9) -> None:
        self.up, self.exit_code = False, exit_code
        self.gone.set()
