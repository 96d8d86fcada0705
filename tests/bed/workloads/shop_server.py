"""The shop: a small web application whose releases differ in what is wrong with them.

Runs by itself on a host, as `shop.service`, with the standard library only. What a release does stands in one word in
its file `behaviour`.

`/` is the page; `/orders` writes to disk, `/upstream` asks another host, `/name` asks the resolver, `/work` computes,
`/big` is long, `/time` is the server's clock.

Signals break the running process: USR1 stops accepting connections, USR2 closes the listening socket, HUP stops the
heartbeat, WINCH puts its clock a month ahead, ALRM fills the disk with a log that has no name any more.
"""

import argparse
import contextlib
import gzip
import hashlib
import http.client
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKLOG = 5
BIG = b"x" * 262_144
ORDERS_KEPT = 20
BEAT_EVERY_S = 0.2
SLOW_S = 3.0
LEAK_BYTES = 16 << 20
A_MONTH_S = 30 * 86400

deaf = threading.Event()  # no longer accepting
numb = threading.Event()  # no longer beating
ahead = threading.Event()  # a month ahead of its host
leaked: list[bytearray] = []
numbers = itertools.count()


def now() -> float:
    """The shop's own time of day."""
    return time.time() + (A_MONTH_S if ahead.is_set() else 0.0)


class Shop(BaseHTTPRequestHandler):
    """Answers for one release."""

    release: Path
    behaviour: str
    data: Path
    upstream: str
    name: str
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        try:
            body = self._page()
        except OSError as error:
            self._answer(503, str(error).encode())
            return
        if self.behaviour == "errors":
            self._answer(500, b"the shop is broken")
        elif self.behaviour == "slow":
            time.sleep(SLOW_S)
            self._answer(200, body)
        elif self.behaviour == "leaks":
            leaked.append(bytearray(os.urandom(4096) * (LEAK_BYTES // 4096)))
            self._answer(200, body)
        elif self.behaviour == "latin1":
            self._answer(200, '{"shop": "geöffnet"}'.encode("latin-1"))
        elif self.behaviour == "bad_json":
            self._answer(200, body[:-1])
        elif self.behaviour == "cut_gzip":
            self._answer(200, gzip.compress(body * 100)[:-12], "Content-Encoding: gzip")
        elif self.behaviour == "short_body":
            self._answer(200, body, f"Content-Length: {len(body) + 100}")
        else:
            self._answer(200, body)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(200, json.dumps({"received": len(self.rfile.read(length))}).encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(now() if timestamp is None else timestamp)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def _page(self) -> bytes:
        match self.path:
            case "/orders":
                return self._order()
            case "/upstream":
                connection = http.client.HTTPConnection(self.upstream, 80, timeout=0.8)
                connection.request("GET", "/")
                return str(connection.getresponse().status).encode()
            case "/name":
                return str(socket.getaddrinfo(self.name, 80)[0][4][0]).encode()
            case "/work":
                digest = b""
                for _ in range(60_000):
                    digest = hashlib.sha256(digest).digest()
                return digest.hex().encode()
            case "/big":
                return BIG
            case "/time":
                return str(now()).encode()
        return json.dumps({"shop": "geöffnet", "release": self.release.resolve().name}, ensure_ascii=False).encode()

    def _order(self) -> bytes:
        order = self.data / f"order-{next(numbers) % ORDERS_KEPT}"
        new = order.with_suffix(".new")
        try:
            new.write_bytes(os.urandom(4096))
            new.rename(order)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        return order.name.encode()

    def _answer(self, status: int, body: bytes, *headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if not any(header.startswith("Content-Length") for header in headers):
            self.send_header("Content-Length", str(len(body)))
        for header in headers:
            self.send_header(*header.split(": ", 1))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Listens like any other, until a signal says otherwise."""

    request_queue_size = BACKLOG
    daemon_threads = True

    def serve(self) -> None:
        while not deaf.is_set():
            self.handle_request()
        while True:
            signal.pause()


def beat(file: Path) -> None:
    while not numb.is_set():
        file.touch()
        numb.wait(BEAT_EVERY_S)


def log_without_end(data: Path) -> None:
    """As after a rotation that nobody told the shop of: it writes on into a file that was deleted."""
    log = os.open(data / "access.log.1", os.O_CREAT | os.O_WRONLY)
    (data / "access.log.1").unlink()
    with contextlib.suppress(OSError):
        while os.write(log, b"x" * 4096):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--release", type=Path, default=Path("/srv/shop/current"))
    parser.add_argument("--data", type=Path, default=Path("/srv/shop/data"))
    parser.add_argument("--beat", type=Path, default=Path("/run/shop/beat"))
    parser.add_argument("--upstream", default="hub")
    parser.add_argument("--name", default="hub.bed")
    args = parser.parse_args()
    Shop.release, Shop.data, Shop.upstream, Shop.name = args.release, args.data, args.upstream, args.name
    Shop.behaviour = (args.release / "behaviour").read_text().strip()
    if Shop.behaviour == "crashes":
        sys.exit("this release does not run")
    server = Server(("0.0.0.0", args.port), Shop)
    server.timeout = 0.05

    def close(*_: object) -> None:
        deaf.set()
        server.socket.close()

    signal.signal(signal.SIGUSR1, lambda *_: deaf.set())
    signal.signal(signal.SIGUSR2, close)
    signal.signal(signal.SIGHUP, lambda *_: numb.set())
    signal.signal(signal.SIGWINCH, lambda *_: ahead.set())
    signal.signal(signal.SIGALRM, lambda *_: log_without_end(args.data))
    threading.Thread(target=beat, args=(args.beat,), daemon=True).start()
    server.serve()


if __name__ == "__main__":
    main()
