"""Programs that are run to their end; the tests of `run_program` (test_processes.py) have the rest."""

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import ProgramEnd
from guardian_agent.host.processes import LocalProcesses
from guardian_agent.host.programs import TAIL_BYTES, ending


def shell(script):
    return ("sh", "-c", script)


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("echo fine", ProgramEnd(exit_code=0, output="fine")),
        ("echo one; echo two >&2; exit 2", ProgramEnd(exit_code=2, output="one\ntwo")),
        ("kill -9 $$", ProgramEnd(exit_code=-9, output="")),
        ("echo slow; sleep 600", ProgramEnd(exit_code=None, output="slow")),
    ],
)
async def test_a_check_ends_as_it_ends(tmp_path, script, end):
    assert await LocalProcesses(tmp_path).check(shell(script), 0.3) == end


async def test_only_the_end_of_what_a_check_says_is_kept(tmp_path):
    end = await LocalProcesses(tmp_path).check(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end"), 5.0)
    assert len(end.output) <= TAIL_BYTES
    assert end.output.endswith("xend")


async def test_a_check_that_is_not_there_cannot_tell(tmp_path):
    with pytest.raises(ProbeError, match="cannot start /no/such/check"):
        await LocalProcesses(tmp_path).check(("/no/such/check",), 1.0)


def test_an_end_is_told_in_words():
    told = [ending(ProgramEnd(exit_code=code), 2.0) for code in (3, -9, None)]
    assert told == [
        "ended with exit code 3",
        "was killed by SIGKILL",
        "was still running after 2 s and was killed",
    ]
