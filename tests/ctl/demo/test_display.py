import io
from datetime import UTC, datetime

from rich.console import Console
from tests.ctl import answers

from guardian_ctl.demo.display import Display, Lines, LiveDisplay
from guardian_ctl.demo.episode import Episode
from guardian_ctl.demo.faults import FAULTS

BROKEN_AT = datetime(2026, 11, 22, 2, 59, 0, 990_000, tzinfo=UTC).timestamp()


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=200, force_terminal=terminal, color_system=None, markup=False)


def written(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def play(display: Display, *, to_its_end: bool = True) -> None:
    display.open()
    display.progress("the agent starts")
    episode = Episode(FAULTS[0], broken_at=BROKEN_AT, pid=7)
    display.episodes.append(episode)
    display.changed()
    if to_its_end:
        episode.incident = answers.incident()
        display.changed()
        display.changed()
    display.close()


def test_in_a_pipe_each_fault_is_told_once_when_it_is_over() -> None:
    pipe = console(terminal=False)
    play(Lines(pipe))
    text = written(pipe)
    assert text.startswith("the agent starts\n\nkilled: healed\n     +0.000 s  demo   SIGKILL to process 7")
    assert text.count("killed: healed") == 1
    assert "     +0.020 s  agent  detected: process_crashed, by host_process\n" in text


def test_in_a_pipe_what_was_not_over_is_told_at_the_end() -> None:
    pipe = console(terminal=False)
    play(Lines(pipe), to_its_end=False)
    assert "killed: broken; not seen yet" in written(pipe)


def test_on_a_terminal_what_is_over_stays_on_the_screen() -> None:
    terminal = console(terminal=True)
    play(LiveDisplay(terminal))
    text = written(terminal)
    printed, _, erased = text.rpartition("\x1b[?25h")  # the cursor is shown again: the live part is over
    assert printed.index("killed: healed") < printed.index("the incident is over: auto")
    assert text.count("killed: healed") == 1
    assert erased.count("\x1b[2K") == 1 + len(FAULTS) + 1  # the table of states and the progress, not the course


def test_on_a_terminal_all_faults_stand_there_from_the_first_on() -> None:
    terminal = console(terminal=True)
    display = LiveDisplay(terminal)
    display.episodes.append(Episode(FAULTS[0], broken_at=BROKEN_AT, pid=7))
    terminal.print(display._render())
    lines = written(terminal).splitlines()
    states = [line.split("  ")[0] for line in lines[-4:-1]]
    assert states == [fault.name for fault in FAULTS]
