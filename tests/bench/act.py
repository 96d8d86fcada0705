"""Runs one command at a known moment.

Runs by itself in a host or in the router (`python3 -IS -c …`, standard library only). Prints two times (CLOCK_BOOTTIME,
seconds): just before the command was started, and just after it had ended. Starting and ending a process takes the
machine's time, so it is quiet before and after.
"""

import os
import sys
import time

QUIET_S = 0.3


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    os.nice(-20)  # a fault is not to be interrupted half-way
    time.sleep(QUIET_S)
    before = now()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    _, status = os.waitpid(child, 0)
    after = now()
    time.sleep(QUIET_S)
    print(f"{before:.6f} {after:.6f}")
    sys.exit(os.waitstatus_to_exitcode(status))
