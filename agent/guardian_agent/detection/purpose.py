"""What is to be left alone, since somebody stopped it on purpose, or something that it rests on?"""

from collections.abc import Iterable

from guardian_agent.detection.holds import Holds
from guardian_agent.detection.ownership import dependencies
from guardian_agent.model import Component


class OnPurpose:
    """Answers for components, and for their units."""

    def __init__(self, components: Iterable[Component], holds: Holds) -> None:
        self._components = tuple(components)
        self._depends_on = {component.name: component.depends_on for component in self._components}
        self._holds = holds

    def why_untouchable(self, target: str) -> str:
        """Why the component is to be left alone; empty when it is not."""
        if reason := self._holds.reason(target):
            return reason
        for needed in dependencies(target, self._depends_on):
            if reason := self._holds.reason(needed):
                return f"it depends on {needed}, and {reason}"
        return ""

    def why_stopped(self, unit: str) -> str:
        """Why a unit is not to be started: it is that of a component that is to be left alone. Empty when it may be."""
        reasons = (self.why_untouchable(one.name) for one in self._components if one.unit == unit)
        return next(filter(None, reasons), "")
