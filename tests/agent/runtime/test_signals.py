"""What operators ask by signals, whichever run of the daemon is going on."""

import asyncio
import os
import signal

from guardian_agent.runtime.signals import Signals


def heard(*, good: bool = True) -> tuple[Signals, list[str]]:
    said: list[str] = []
    return Signals(lambda: good, lambda: said.append("stopping")), said


async def test_sigterm_stops_the_run_and_none_follows() -> None:
    signals, said = heard()
    signals.install()
    stopped = asyncio.Event()
    signals.of_run(stopped.set)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5.0):
        await stopped.wait()
    assert said == ["stopping"] and signals.run_ended() is False


async def test_a_stop_between_two_runs_counts_for_the_next() -> None:
    signals, said = heard()
    signals.of_run(lambda: None)
    signals.hang_up()
    assert signals.run_ended() is True
    signals.stop()
    signals.of_run(lambda: said.append("stopped"))
    assert said == ["stopping", "stopped"] and signals.run_ended() is False


async def test_a_stop_while_a_reload_drains_cancels_nothing_and_no_run_follows() -> None:
    signals, said = heard()
    signals.of_run(lambda: said.append("stopped"))
    signals.hang_up()
    signals.stop()
    assert said == ["stopped", "stopping"] and signals.run_ended() is False


async def test_a_hang_up_between_two_runs_has_the_next_one_reload() -> None:
    signals, said = heard()
    signals.hang_up()
    signals.of_run(lambda: said.append("stopped"))
    assert said == ["stopped"]
    assert signals.run_ended() is True and signals.run_ended() is False


async def test_a_configuration_that_is_not_used_stops_nothing() -> None:
    signals, said = heard(good=False)
    signals.of_run(lambda: said.append("stopped"))
    signals.hang_up()
    assert said == []


async def test_a_second_stop_is_passed_on() -> None:
    signals, said = heard()
    signals.of_run(lambda: said.append("stopped"))
    signals.stop()
    signals.stop()
    assert said == ["stopping", "stopped", "stopped"]
