"""A process that listens on a port."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

HOLDS = """
import signal, socket, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", 8000))
if sys.argv[1] == "lets-go":
    signal.signal(signal.SIGHUP, lambda *_: (server.close(), print(flush=True)))
print(flush=True)
while True:
    time.sleep(0.05)
"""


@contextlib.contextmanager
def holding(manner: str = "polite") -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on port 8000 of the loopback."""
    words = (sys.executable, "-c", HOLDS, manner, "--token=hush", "--password", "hush", "postgres://me:hush@db/")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()
