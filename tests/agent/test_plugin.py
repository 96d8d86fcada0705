"""The names that others build on."""

from guardian_agent import plugin

PROMISED = """
Beside CannotPlanError Component Endpoint Host Incident KillUnit Layer Operation Plan Playbook Probe ProbeError
Reading ResetFailedUnit RestartUnit RunProgram Schedule Situation StartUnit Step StopUnit Tier
"""


def test_no_name_that_was_promised_is_gone():
    assert set(PROMISED.split()) == set(plugin.__all__)
    assert all(hasattr(plugin, name) for name in plugin.__all__)
