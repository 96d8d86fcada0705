"""What does importing some modules cost?

Runs by itself, in a Python of its own for each question. Prints for each module named: milliseconds of processor time
that its import took after those before it, and how many KiB of resident memory it added.
"""

import importlib
import sys
import time


def resident_kib() -> int:
    with open("/proc/self/smaps_rollup") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        kib, began_s = resident_kib(), time.process_time()
        importlib.import_module(name)
        print(f"{(time.process_time() - began_s) * 1000:.1f} {resident_kib() - kib}")
