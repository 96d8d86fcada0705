"""Who brought an incident to its end (design: "Recovery statistics")?"""

from guardian_agent.detection.case import Case
from guardian_agent.detection.scheduler import Watch
from guardian_agent.model import Incident, Resolution, Stamp


def credit(case: Case, last_foreign_job: Stamp | None) -> tuple[Resolution, str]:
    """The resolution, and by whom: a playbook's id, systemd, the operator, or nobody known (empty).

    `last_foreign_job` is when the last systemd job on the unit came that was not ours.
    """
    if case.healed_by:
        return Resolution.AUTO, case.healed_by
    look = case.looks().get("host_unit")
    restarts = look.reading.evidence.get("restarts", 0) if look and look.reading else 0
    if restarts > case.restarts_before:  # asked first: systemd's own restart is a job that is not ours, too
        return Resolution.SPONTANEOUS, "systemd"
    if last_foreign_job and last_foreign_job.seconds_since(case.incident.first_bad_at) > 0:
        return Resolution.MANUAL, "operator"
    return Resolution.SPONTANEOUS, case.last_tried


def restarts_before(incident: Incident, unit_watch: Watch | None) -> int:
    """How often systemd had restarted the unit when it was last seen good; else what the incident's evidence says."""
    good = unit_watch.condition.last_good_reading if unit_watch else None
    return int((good.evidence if good else incident.evidence).get("restarts", 0))
