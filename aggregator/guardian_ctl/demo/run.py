"""`guardianctl demo` from its first line to its last."""

import asyncio
import json
import signal
import sys

from rich.console import Console

from guardian_ctl.demo.display import Display, Lines, LiveDisplay
from guardian_ctl.demo.report import as_json, report
from guardian_ctl.demo.stage import COMPONENT, Stage
from guardian_ctl.demo.story import Ending, tell
from guardian_ctl.errors import CtlError
from guardian_ctl.tables.layout import make_console, show

SETTLE_S = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Cancels the demo at a signal, once; while everything is being taken down, signals change nothing."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self._task = asyncio.current_task()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._arrived, number)

    def disarm(self) -> None:
        self._task = None

    def _arrived(self, number: signal.Signals) -> None:
        if self._task is not None:
            self.number = number
            self._task.cancel()
            self._task = None


async def run_demo(*, once: bool, as_json_object: bool) -> int:
    """Plays the demo; returns the exit code: 0 when all three were healed, 128 + N when signal N came before.

    Raises:
        CtlError: something did not start, died, or was not healed in time.
    """
    console = make_console(stderr=as_json_object)
    interruption = Interruption()
    stage = Stage()
    ending = None
    try:
        ending = await _play(stage, LiveDisplay(console) if console.is_terminal else Lines(console))
        _show(ending, stage, console, as_json_object)
        if not once:
            _invite(stage, console)
            await stage.stay()
    except asyncio.CancelledError:
        if interruption.number is None:
            raise
    finally:
        interruption.disarm()
        await stage.close()
    if console.is_terminal:
        console.print()  # the terminal has written ^C
    if ending is None:
        console.print("interrupted; everything that was started is ended, and nothing is left behind")
        return 128 + (interruption.number or 0)
    if interruption.number:
        console.print("everything that was started is ended, and nothing is left behind")
    return 0 if ending.healed else 1


async def _play(stage: Stage, display: Display) -> Ending:
    display.open()
    try:
        await stage.open(display.progress)
        display.progress(f"{COMPONENT} is broken three ways, one after the other; its client asks every 25 ms")
        return await tell(stage, display.episodes, display.changed)
    except CtlError:
        await asyncio.sleep(SETTLE_S)
        stage.check()  # where a child has died, that is what there is to say
        raise
    finally:
        display.close()


def _show(ending: Ending, stage: Stage, console: Console, as_json_object: bool) -> None:
    if as_json_object:
        sys.stdout.write(json.dumps(as_json(ending)) + "\n")
        sys.stdout.flush()
    else:
        console.print()
        show(console, report(ending, stage.url))
    if not ending.healed:
        console.print("not everything was healed by Guardian", style="bold red")


def _invite(stage: Stage, console: Console) -> None:
    console.print(f"\nAll goes on, until Ctrl-C. In another shell:\n  {sys.argv[0]} incidents --url {stage.url}")
    console.print(f"  kill -9 {stage.pid()}        # {COMPONENT} at {stage.client.url}")
