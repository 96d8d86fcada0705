"""Each host's own view of memory and processors: lxcfs answers its /proc/meminfo, stat, loadavg and so on.

One lxcfs serves all hosts of a run, since it tells them apart by their cgroups. boot.sh brings its files into the host,
where bedinit binds them over those of the kernel.
"""

import subprocess
from pathlib import Path

from tests.bed.host import ENVIRONMENT, inside
from tests.bed.runs import Run
from tests.bed.waiting import until


async def serve(run: Run, *, outlives_us: bool = False) -> subprocess.Popen[bytes]:
    """Starts lxcfs for a run, in a cgroup of its own there, so that it ends with the run; the caller reaps it then.

    Raises:
        TimeoutError: it did not answer in time; what it said is in the message.
    """
    child = _start(run, outlives_us)

    async def serves() -> bool:
        return (run.view / "proc/meminfo").exists() and child.poll() is None

    try:
        await until(serves, "lxcfs serves", within_s=20, every_s=0.01)
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{_log(run).read_text(errors='replace')}") from None
    return child


def _log(run: Run) -> Path:
    return run.logs / "lxcfs.log"


def _start(run: Run, outlives_us: bool) -> subprocess.Popen[bytes]:
    cgroup = run.cgroups(".lxcfs")[0]
    cgroup.mkdir(parents=True)
    run.view.mkdir()
    argv = [] if outlives_us else ["setpriv", "--pdeathsig", "TERM"]
    argv += inside(cgroup)
    argv += ["lxcfs", "-f", "--enable-loadavg", "--enable-pidfd", f"--pidfile={run.logs}/lxcfs.pid", str(run.view)]
    with _log(run).open("wb") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True
        )
