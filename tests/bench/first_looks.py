"""How long does the agent take from its start until every probe has looked?

Runs by itself in a host (`python3 -I -c …`, standard library only): starts the unit anew and asks it by its socket,
every few milliseconds, which of its probes have looked. Prints seconds from systemd's start of the process: until it
was ready, until it first answered, and until every probe had looked; and how many probes there are.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time

UNIT = "guardian-agent.service"
ASK_EVERY_S = 0.02  # more often would take the processor from it
GIVE_UP_S = 30.0


def monotonic(name: str) -> float:
    """A moment of the unit, CLOCK_MONOTONIC in seconds."""
    said = subprocess.run(
        ["systemctl", "show", f"--property={name}", "--value", UNIT], check=True, capture_output=True, text=True
    )
    return int(said.stdout) / 1e6


def probes(path: str) -> list[str]:
    """Why each probe cannot tell; empty where it can."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GIVE_UP_S)
        connection.connect(path)
        connection.sendall(b'{"command": "status"}\n')
        line = b""
        while not line.endswith(b"\n"):
            line += connection.recv(1 << 20)
    return [probe["unknown"] for probe in json.loads(line)["result"]["probes"]]


def main(path: str) -> None:
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    subprocess.run(["systemctl", "start", "--no-block", UNIT], check=True)
    began = time.monotonic()
    answered = 0.0
    while time.monotonic() < began + GIVE_UP_S:
        with contextlib.suppress(OSError):
            unknown = probes(path)
            at = time.monotonic()
            answered = answered or at
            if "not looked at yet" not in unknown:
                start, ready = monotonic("ExecMainStartTimestampMonotonic"), monotonic("ActiveEnterTimestampMonotonic")
                print(f"{ready - start:.4f} {answered - start:.4f} {at - start:.4f} {len(unknown)}")
                return
        time.sleep(ASK_EVERY_S)
    sys.exit("not every probe has looked")


if __name__ == "__main__":
    main(sys.argv[1])
