"""How the command line talks to the running agent: a unix socket, one JSON object a line each way.

A request is `{"command": NAME, …}`; the answer `{"ok": true, "result": …}` or `{"ok": false, "error": "…"}`. Who may
connect is decided by the socket's mode and its folder's.
"""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from guardian_agent.errors import GuardianError

LINE_LIMIT = 64 * 1024  # bytes of a request
ANSWER_LIMIT = 16 * 1024 * 1024  # bytes of an answer
IDLE_S = 30.0  # how long a connection may say nothing, or leave an answer untaken
CONNECTIONS = 32
_PATH_LIMIT = 107  # bytes, unix(7)

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class LocalSocketError(GuardianError):
    """The socket cannot be used, or the other side says no; the text says which."""


class LocalSocket:
    """The daemon's side: answers each request by the handler of its command's name.

    A handler takes the whole request and returns what msgspec can encode; a GuardianError becomes the answer's error.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self.path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listens from now on.

        Raises:
            LocalSocketError: another agent listens there, or something that is no socket is in the way.
        """
        listener = _listener(self.path)
        self._inode = self.path.lstat().st_ino
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=LINE_LIMIT)

    async def close(self) -> None:
        """Stops listening, ends every connection, removes the file if it is still ours."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        with contextlib.suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="local socket connection")
        self._connections.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a request ended its connection", exc_info=error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await self._line(reader):
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()
        except ValueError:  # StreamReader.readline's word for a line beyond the limit
            writer.write(msgspec.json.encode(_error(f"a request has at most {LINE_LIMIT} bytes")) + b"\n")
        except (OSError, TimeoutError):  # the other side is gone, or does not read
            writer.transport.abort()
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(IDLE_S):
            return await reader.readline()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _error("a request is one JSON object on one line")
        handler = self._handlers.get(str(request.get("command")))
        if handler is None:
            return _error(f'no command "{request.get("command")}"; there are: {", ".join(sorted(self._handlers))}')
        try:
            return {"ok": True, "result": await handler(request)}
        except GuardianError as error:
            return _error(str(error))


def ask(path: Path, request: dict[str, Any], timeout_s: float = 10.0) -> Any:
    """What the agent that listens at `path` answers to `request`, within `timeout_s` seconds altogether.

    Raises:
        LocalSocketError: nobody listens, no answer comes in time, or the answer is an error.
    """
    deadline = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(os.fspath(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            line = _read_line(connection, deadline)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise LocalSocketError(f"no agent listens at {path}; is it running?") from error
    except TimeoutError as error:
        raise LocalSocketError(f"the agent at {path} gave no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise LocalSocketError(f"cannot talk to the agent at {path}: {error.strerror or error}") from error
    try:
        answer = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LocalSocketError(f"what listens at {path} does not answer like an agent") from error
    if answer.get("ok") is not True:
        raise LocalSocketError(str(answer.get("error")))
    return answer.get("result")


def _read_line(connection: socket.socket, deadline: float) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        chunk = connection.recv(65536)
        if not chunk or len(received) > ANSWER_LIMIT:
            raise ConnectionError("it closed the connection, or said too much")
        received += chunk
    return bytes(received)


def _listener(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _PATH_LIMIT:
        raise LocalSocketError(f"{path}: a socket's path has at most {_PATH_LIMIT} bytes")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        os.fchmod(listener.fileno(), 0o660)  # on Linux the file is made with this, less the umask: never wider
        listener.bind(os.fspath(path))
        path.chmod(0o660)
        listener.listen()
    except OSError as error:
        listener.close()
        raise LocalSocketError(f"{path}: cannot listen there: {error.strerror}") from error
    except LocalSocketError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Removes the socket file of an agent that is gone; anything else in the way stays."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LocalSocketError(f"{path}: is in the way and no socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except (TimeoutError, BlockingIOError):  # a full queue: somebody does listen
            pass
    raise LocalSocketError(f"{path}: another agent listens there")


def _error(text: str) -> dict[str, Any]:
    return {"ok": False, "error": text}
