import asyncio
import logging

import pytest

from guardian_agent.errors import GuardianError, StateError
from guardian_agent.runtime.supervisor import Life, Service, ServiceFailedError, Supervisor


class Stage:
    """Services that write down what happens to them."""

    def __init__(self):
        self.events: list[str] = []

    def service(self, name: str, **options) -> Service:
        async def run(life: Life) -> None:
            self.events.append(f"{name} starts")
            life.started()
            await life.stopping.wait()
            self.events.append(f"{name} stops")

        return Service(name=name, run=run, **options)

    def failing(self, name: str, times: int, error: Exception | None = None, **options) -> Service:
        """A service that fails `times` times, before it says that it started, and then works."""
        left = [times]
        good = self.service(name)

        async def run(life: Life) -> None:
            if left[0]:
                left[0] -= 1
                self.events.append(f"{name} fails")
                raise error or ValueError("broken")
            await good.run(life)

        return Service(name=name, run=run, **options)


class Pauses(list):
    async def __call__(self, stopping: asyncio.Event, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def pauses():
    return Pauses()


async def test_services_start_in_order_and_stop_in_reverse(stage):
    supervisor = Supervisor([stage.service("uplink"), stage.service("healing"), stage.service("scheduler")])
    await supervisor.run(ready=supervisor.stop)
    assert stage.events == [
        *("uplink starts", "healing starts", "scheduler starts"),
        *("scheduler stops", "healing stops", "uplink stops"),
    ]


async def test_it_is_ready_only_after_the_last_service_says_so(stage):
    waiting, gate = asyncio.Event(), asyncio.Event()
    ready: list[bool] = []

    async def slow(life: Life) -> None:
        waiting.set()
        await gate.wait()
        life.started()
        await life.stopping.wait()

    supervisor = Supervisor([stage.service("first"), Service(name="slow", run=slow), stage.service("last")])
    running = asyncio.create_task(supervisor.run(ready=lambda: (ready.append(gate.is_set()), supervisor.stop())))
    await waiting.wait()
    assert "last starts" not in stage.events
    gate.set()
    await running
    assert ready == [True]


async def test_a_failing_service_is_started_again_and_leaves_the_others_alone(stage, pauses, caplog):
    supervisor = Supervisor([stage.service("uplink"), stage.failing("healing", times=3)], pause=pauses)
    await supervisor.run(ready=supervisor.stop)
    assert stage.events.count("healing fails") == 3
    assert stage.events.count("uplink starts") == 1
    assert pauses == [0.1, 0.2, 0.4]
    assert "ValueError: broken" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_service_that_uses_up_its_restarts_ends_the_daemon_after_the_others_stopped(stage, pauses):
    supervisor = Supervisor([stage.service("uplink"), stage.failing("healing", times=9)], pause=pauses)
    with pytest.raises(ServiceFailedError, match="healing failed 6 times in 60 s, last: ValueError: broken"):
        await supervisor.run(ready=lambda: stage.events.append("ready"))
    assert stage.events.count("healing fails") == 6
    assert stage.events[-1] == "uplink stops"
    assert "ready" not in stage.events


async def test_failures_far_apart_are_forgiven(stage, pauses):
    clock = iter(range(0, 1000, 30))  # at most 3 within any 60 s
    service = stage.failing("healing", times=9, restarts=3)
    supervisor = Supervisor([service], pause=pauses, monotonic=lambda: next(clock))
    await supervisor.run(ready=supervisor.stop)
    assert stage.events.count("healing fails") == 9


async def test_a_service_that_ends_by_itself_has_failed(pauses):
    async def brief(life: Life) -> None:
        life.started()

    with pytest.raises(ServiceFailedError, match="brief failed 2 times in 60 s, last: ended by itself"):
        await Supervisor([Service(name="brief", run=brief, restarts=1)], pause=pauses).run()


async def test_an_error_of_ours_at_the_start_is_not_tried_again(stage, pauses):
    error = StateError("/var/lib/guardian-agent: not writable")
    with pytest.raises(StateError, match="not writable"):
        await Supervisor([stage.failing("state", times=9, error=error)], pause=pauses).run()
    assert stage.events == ["state fails"]


async def test_an_error_of_ours_later_is_tried_again(stage, pauses):
    failed = False

    async def run(life: Life) -> None:
        nonlocal failed
        life.started()
        if not failed:
            failed = True
            raise StateError("disk full")
        supervisor.stop()
        await life.stopping.wait()

    supervisor = Supervisor([Service(name="state", run=run)], pause=pauses)
    await supervisor.run()
    assert failed


async def test_what_is_in_flight_is_drained_and_not_cancelled(stage):
    working = asyncio.Event()

    async def healing(life: Life) -> None:
        life.started()
        await life.stopping.wait()
        working.set()
        for _ in range(100):
            await asyncio.sleep(0)
        stage.events.append("repair finished")

    supervisor = Supervisor([Service(name="healing", run=healing, drain_s=60)])
    await supervisor.run(ready=supervisor.stop)
    assert stage.events == ["repair finished"]


async def stubborn(life: Life) -> None:
    life.started()
    await asyncio.Event().wait()


async def test_a_service_that_does_not_finish_in_time_is_cancelled(caplog):
    supervisor = Supervisor([Service(name="stubborn", run=stubborn, drain_s=0.01)])
    await supervisor.run(ready=supervisor.stop)
    assert "stubborn did not finish within 0.01 s" in caplog.text


async def test_a_second_stop_cancels_at_once(stage):
    supervisor = Supervisor([stage.service("uplink"), Service(name="stubborn", run=stubborn, drain_s=3600)])
    await supervisor.run(ready=lambda: (supervisor.stop(), supervisor.stop()))
    assert stage.events[0] == "uplink starts"


async def test_a_stop_while_starting_stops_what_has_started(stage):
    async def never_starts(life: Life) -> None:
        supervisor.stop()
        await life.stopping.wait()

    services = [stage.service("uplink"), Service(name="slow", run=never_starts), stage.service("never")]
    supervisor = Supervisor(services)
    await supervisor.run(ready=lambda: stage.events.append("ready"))
    assert stage.events == ["uplink starts", "uplink stops"]


async def test_a_failure_while_stopping_is_logged_and_not_restarted(stage, caplog):
    async def run(life: Life) -> None:
        life.started()
        await life.stopping.wait()
        raise ValueError("while draining")

    supervisor = Supervisor([stage.service("uplink"), Service(name="late", run=run)])
    await supervisor.run(ready=supervisor.stop)
    assert "while draining" in caplog.text
    assert stage.events[-1] == "uplink stops"


async def test_a_pause_before_a_restart_ends_when_it_is_told_to_stop(stage):
    class Asked(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "is started again" in record.getMessage():
                supervisor.stop()

    handler = Asked()
    logging.getLogger("guardian_agent.runtime.supervisor").addHandler(handler)
    supervisor = Supervisor([stage.failing("healing", times=99, restarts=99)])
    await supervisor.run()
    logging.getLogger("guardian_agent.runtime.supervisor").removeHandler(handler)
    assert stage.events == ["healing fails"]


async def test_when_something_that_all_need_is_gone_they_stop_in_order_and_it_is_raised(stage):
    supervisor = Supervisor([stage.service("uplink")])
    with pytest.raises(GuardianError, match="the disk is gone"):
        await supervisor.run(ready=lambda: supervisor.fail(GuardianError("the disk is gone")))
    assert stage.events[-1] == "uplink stops" and supervisor.ending
