"""Clients that mind what they get. Runs by itself on the hub, with the standard library only; 0 means content.

`payload URL` reads the shop's page to its end, and decodes it. `session ADDRESS PORT IDLE_S QUESTION ANSWER` holds a
connection: it asks, says nothing for a while, and asks again. `week ADDRESS` wants a certificate that is good for a
week to come.
"""

import gzip
import json
import socket
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable

PATIENCE_S = 1.0
WEEK_S = 7 * 86400.0
TRUSTED = "/etc/ssl/bed-ca.pem"


def payload(url: str) -> None:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        body = answer.read()  # less than was announced is an error
        if answer.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        page = json.loads(body.decode(answer.headers.get_content_charset()))
    if page["shop"] != "geöffnet":
        sys.exit(f"the shop is {page['shop']}")


def session(address: str, port: str, idle_s: str, question: str, answer: str) -> None:
    with socket.create_connection((address, int(port)), timeout=PATIENCE_S) as connection:
        _ask(connection, question, answer)
        _hold(connection, float(idle_s))
        _ask(connection, question, answer)


def _ask(connection: socket.socket, question: str, answer: str) -> None:
    connection.settimeout(PATIENCE_S)
    connection.sendall(question.encode())
    got = b""
    while answer.encode() not in got:
        got += _received(connection)


def _hold(connection: socket.socket, idle_s: float) -> None:
    until = time.monotonic() + idle_s
    while (left_s := until - time.monotonic()) > 0:
        connection.settimeout(left_s)
        try:
            _received(connection)  # the rest of an answer
        except TimeoutError:
            return


def _received(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65536)):
        sys.exit("the other side has ended the session")
    return data


def week(address: str) -> None:
    context = ssl.create_default_context(cafile=TRUSTED)
    with (
        socket.create_connection((address, 443), timeout=PATIENCE_S) as connection,
        context.wrap_socket(connection, server_hostname=address) as secured,
    ):
        certificate = secured.getpeercert() or {}
    until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    if until < time.time() + WEEK_S:
        sys.exit(f"good only until {certificate['notAfter']}")


CLIENTS: dict[str, Callable[..., None]] = {"payload": payload, "session": session, "week": week}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](*sys.argv[2:])
