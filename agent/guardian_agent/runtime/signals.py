"""What does an operator ask of the daemon by a signal?"""

import asyncio
import signal
from collections.abc import Callable


class Signals:
    """SIGTERM and SIGINT end the daemon, SIGHUP has it reload; one that comes between two runs counts for the next."""

    def __init__(self, read_again: Callable[[], bool], on_stop: Callable[[], None] = lambda: None) -> None:
        """`read_again` reads the configuration at a SIGHUP and says whether it is used; `on_stop` hears of the first
        SIGTERM."""
        self._read_again = read_again
        self._on_stop = on_stop
        self._stops = 0
        self.reloading = False
        self._stop_run: Callable[[], None] = lambda: None

    def install(self) -> None:
        """From now on signals are heard, until the loop ends."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.hang_up)

    @property
    def stopping(self) -> bool:
        return self._stops > 0

    def of_run(self, stop: Callable[[], None]) -> None:
        """A run begins that `stop()` ends; at once, where it is to end already."""
        self._stop_run = stop
        for _ in range(self._stops or self.reloading):
            stop()

    def run_ended(self) -> bool:
        """The run is over: whether another one follows, with what was read."""
        self._stop_run = lambda: None
        again, self.reloading = self.reloading and not self.stopping, False
        return again

    def stop(self) -> None:
        self._stops += 1
        if self._stops == 1:
            self._on_stop()
            if self.reloading:  # the run is being stopped already, and a second time would cancel what it still does
                return
        self._stop_run()

    def hang_up(self) -> None:
        if not self.stopping and self._read_again() and not self.reloading:
            self.reloading = True
            self._stop_run()
