"""A client that takes connections and never gives one back. Runs by itself on a host, with the standard library only.

Says `full` once no further connection is to be had, because it has all it wants or was refused one. It goes on trying
for those that it did not get; for those that it had and lost only with `--again`.
"""

import argparse
import socket
import time

PATIENCE_S = 0.5
LOOKS_EVERY_S = 0.1


def opened(address: tuple[str, int], hello: bytes, welcome: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=PATIENCE_S)
    connection.sendall(hello)
    if welcome and not connection.recv(4096).startswith(welcome):
        raise ConnectionRefusedError("it answered, but it let nobody in")
    connection.setblocking(False)
    return connection


def alive(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--hello", type=bytes.fromhex, default=b"", help="what to say first, in hexadecimal")
    parser.add_argument(
        "--welcome", type=bytes.fromhex, default=b"", help="how the answer of a friend begins, likewise"
    )
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    held: list[socket.socket] = []
    wanted = args.count
    said = False
    while True:
        lost = [connection for connection in held if not alive(connection)]
        held = [connection for connection in held if connection not in lost]
        for connection in lost:
            connection.close()
        wanted += len(lost) if args.again else 0
        try:
            while wanted:
                held.append(opened((args.address, args.port), args.hello, args.welcome))
                wanted -= 1
            refused = False
        except OSError:
            refused = True
        if not said and (refused or not wanted):
            print("full", flush=True)
            said = True
        time.sleep(LOOKS_EVERY_S)


if __name__ == "__main__":
    main()
