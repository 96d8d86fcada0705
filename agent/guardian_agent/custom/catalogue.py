"""All probes and playbooks that there are on this host: our own, those of other packages, and declared commands."""

from collections.abc import Mapping, Sequence

import msgspec

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.custom.commands import playbook_class, probe_class
from guardian_agent.custom.entry_points import installed_playbooks, installed_probes
from guardian_agent.playbooks import PLAYBOOKS, Playbook
from guardian_agent.probes import PROBES, Probe


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The classes of probes and playbooks, our own first."""

    probes: tuple[type[Probe], ...] = PROBES
    playbooks: tuple[type[Playbook], ...] = PLAYBOOKS

    def with_declared(self, config: AgentConfig) -> "Catalogue":
        """These, and the commands that the configuration declares."""
        return Catalogue(
            probes=(*self.probes, *map(probe_class, config.declared_probes)),
            playbooks=(*self.playbooks, *map(playbook_class, config.declared_playbooks)),
        )

    def configured(self, settings: Mapping[str, PlaybookSettings]) -> dict[str, Playbook]:
        """Every playbook by its id, with what `[playbooks.ID]` sets of its own keys."""
        default = PlaybookSettings()
        return {book.playbook_id(): book(**settings.get(book.playbook_id(), default).own) for book in self.playbooks}

    def ladders(self, default: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """The default ladders, and for each issue type without one, the playbooks of others that say they heal it."""
        found = {issue: tuple(rungs) for issue, rungs in default.items()}
        for playbook in self.playbooks[len(PLAYBOOKS) :]:
            for issue in playbook.heals:
                if issue not in default:
                    found[issue] = (*found.get(issue, ()), playbook.playbook_id())
        return found

    @property
    def issue_types(self) -> set[str]:
        """All that a probe may report."""
        return {issue for probe in self.probes for issue in probe.issue_types}


def installed() -> Catalogue:
    """Our own probes and playbooks, and those that other packages have brought. Raises ConfigError for one that cannot
    be used."""
    probes = installed_probes(probe.probe_id() for probe in PROBES)
    playbooks = installed_playbooks(playbook.playbook_id() for playbook in PLAYBOOKS)
    return Catalogue(probes=(*PROBES, *probes), playbooks=(*PLAYBOOKS, *playbooks))
