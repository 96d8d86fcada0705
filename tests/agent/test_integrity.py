import json

import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.integrity import EXECUTOR_AUDIT, audit_problem, integrity


def line(name: str, outcome: str, time: str = "2026-11-25T05:00:00.000+00:00") -> str:
    return json.dumps({"time": time, "id": name, "uid": 0, "pid": 1, "outcome": outcome, "what": "systemctl start web"})


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], ""),
        ([line("a", "begun"), line("a", "done"), line("b", "refused")], ""),
        ([line("a", "begun")], ""),  # it is under way
        (["torn", line("b", "done")], "1 lines cannot be read"),
        ([line("a", "done", "2026-11-25T06"), line("b", "done", "2026-11-25T05")], "lines are out of order"),
        ([line("a", "begun"), line("b", "done")], "1 operations were begun and have no end"),
    ],
)
def test_what_is_wrong_with_the_executors_lines(lines: list[str], problem: str) -> None:
    said = audit_problem("\n".join(lines))
    assert said.startswith(problem) and bool(said) == bool(problem)


async def test_an_audit_that_is_not_ours_to_read_is_left_out() -> None:
    host = FakeHost()

    async def broken() -> str:
        return "record 3 does not follow from those before it"

    assert await integrity(host, broken) == {"outbox": "record 3 does not follow from those before it"}
    host.files.contents[EXECUTOR_AUDIT] = line("a", "done")
    assert (await integrity(host, broken))["executor's audit"] == ""
