"""What the demo shows while it runs: live on a terminal, line by line elsewhere."""

from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from guardian_ctl.demo.episode import Episode
from guardian_ctl.demo.faults import FAULTS
from guardian_ctl.tables.layout import Grid, show, toned
from guardian_ctl.wording import plain, seconds

TONES = {"demo": "bad", "client": "warning", "agent": "good"}


class Display(Protocol):
    """Shows what is going on. `changed` is called when the episodes are not as they were."""

    episodes: list[Episode]

    def open(self) -> None: ...
    def close(self) -> None: ...
    def progress(self, text: str) -> None: ...
    def changed(self) -> None: ...


class Lines:
    """For pipes and logs: the course of each fault, when it is over."""

    def __init__(self, console: Console) -> None:
        self.episodes: list[Episode] = []
        self._console = console
        self._told = 0

    def open(self) -> None:
        """Nothing is to be prepared."""

    def close(self) -> None:
        for episode in self.episodes[self._told :]:  # broken, and something went wrong
            self._tell(episode)

    def progress(self, text: str) -> None:
        self._console.print(text)

    def changed(self) -> None:
        for episode in self.episodes[self._told :]:
            if episode.over:
                self._tell(episode)

    def _tell(self, episode: Episode) -> None:
        self._told += 1
        show(self._console, course(episode))


class LiveDisplay:
    """For a terminal: what is over scrolls up, what is going on stays below and changes."""

    def __init__(self, console: Console) -> None:
        self.episodes: list[Episode] = []
        self._spinner = Spinner("dots")
        self._progress = ""
        self._told = 0
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=12, transient=True)

    def open(self) -> None:
        self._live.start()

    def close(self) -> None:
        self._live.stop()
        self._tell_those_over(all_of_them=True)

    def progress(self, text: str) -> None:
        self._progress = text

    def changed(self) -> None:
        self._tell_those_over()

    def _tell_those_over(self, *, all_of_them: bool = False) -> None:
        for episode in self.episodes[self._told :]:
            if episode.over or all_of_them:
                self._told += 1
                self._live.console.print(course(episode))

    def _render(self) -> RenderableType:
        self._spinner.update(text=Text(f" {self._progress}"))
        if not self.episodes:
            return self._spinner
        going_on = [course(episode) for episode in self.episodes[self._told :]]
        return Group(*going_on, self._states(), self._spinner)

    def _states(self) -> Grid:
        table = Grid("fault", "state", "issue type", ">client")
        for index, fault in enumerate(FAULTS):
            episode = self.episodes[index] if index < len(self.episodes) else Episode(fault)
            incident = episode.incident or {}
            tone = "good" if episode.healed else "warning" if episode.broken_at else "quiet"
            outage = episode.outage.seconds if episode.outage else None
            state = toned(episode.state(), tone)
            table.add_row(fault.name, state, plain(incident.get("issue_type")), seconds(outage))
        return table


def course(episode: Episode) -> RenderableType:
    """What is known of an episode, line by line."""
    lines = Table.grid(padding=(0, 2, 0, 0))
    for event in episode.timeline():
        after = event.at - (episode.broken_at or event.at)
        lines.add_row(f"  {after:+9.3f} s", toned(event.who, TONES[event.who]), event.text)
    return Group(title(episode), lines)


def title(episode: Episode) -> Text:
    return Text(f"\n{episode.fault.name}: {episode.state()}", style="bold")
