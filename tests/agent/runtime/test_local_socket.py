import asyncio
import json
import socket
import stat

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.runtime.local_socket import CONNECTIONS, LINE_LIMIT, LocalSocket, LocalSocketError, ask


async def echo(request):
    return {"said": request.get("text")}


async def refuse(request):
    raise ProbeError("no uplink known")


async def broken(request):
    raise ZeroDivisionError


@pytest.fixture
async def server(tmp_path):
    server = LocalSocket(tmp_path / "agent.sock", {"echo": echo, "refuse": refuse, "broken": broken})
    await server.open()
    yield server
    await server.close()


async def asked(server, request, timeout_s=5.0):
    return await asyncio.to_thread(ask, server.path, request, timeout_s)


async def raw(server, data: bytes) -> dict:
    """The first answer to bytes as they are."""
    reader, writer = await asyncio.open_unix_connection(server.path)
    writer.write(data)
    answer = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_a_request_is_answered_by_its_commands_handler(server):
    assert await asked(server, {"command": "echo", "text": "héllo"}) == {"said": "héllo"}


async def test_what_a_handler_refuses_is_the_askers_error(server):
    with pytest.raises(LocalSocketError, match="no uplink known"):
        await asked(server, {"command": "refuse"})


async def test_an_unknown_command_names_the_known(server):
    with pytest.raises(LocalSocketError, match='no command "reboot"; there are: broken, echo, refuse'):
        await asked(server, {"command": "reboot"})


@pytest.mark.parametrize("data", [b"hello\n", b"[1]\n", b"\xff\n", b"\n", b'{"command": "echo"\n'])
async def test_what_is_no_request_gets_an_error_and_not_silence(server, data):
    assert await raw(server, data) == {"ok": False, "error": "a request is one JSON object on one line"}


async def test_a_line_without_end_is_cut_off(server):
    answer = await raw(server, b"x" * (2 * LINE_LIMIT + 1))
    assert answer["error"] == f"a request has at most {LINE_LIMIT} bytes"


async def test_several_requests_fit_on_one_connection(server):
    reader, writer = await asyncio.open_unix_connection(server.path)
    writer.write(b'{"command": "echo", "text": 1}\n{"command": "echo", "text": 2}\n')
    assert [json.loads(await reader.readline())["result"]["said"] for _ in range(2)] == [1, 2]
    writer.close()


async def test_a_handlers_bug_is_logged_and_ends_only_that_connection(server, caplog):
    with pytest.raises(LocalSocketError, match="it closed the connection"):
        await asked(server, {"command": "broken"})
    assert "ZeroDivisionError" in caplog.text
    assert await asked(server, {"command": "echo"}) == {"said": None}


async def test_clients_that_say_nothing_do_not_keep_others_waiting(server):
    silent = [await asyncio.open_unix_connection(server.path) for _ in range(5)]
    assert await asked(server, {"command": "echo", "text": 1}) == {"said": 1}
    for _, writer in silent:
        writer.close()


async def test_more_connections_than_allowed_are_closed_and_places_come_back(server):
    silent = [await asyncio.open_unix_connection(server.path) for _ in range(CONNECTIONS)]
    with pytest.raises(LocalSocketError, match="cannot talk to the agent"):
        await asked(server, {"command": "echo"})
    reader, writer = silent[0]
    writer.write_eof()
    assert await reader.read() == b""
    assert await asked(server, {"command": "echo"}) == {"said": None}
    for _, writer in silent:
        writer.close()


async def test_only_user_and_group_may_connect(server):
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660


async def test_the_file_goes_with_the_agent(server):
    await server.close()
    assert not server.path.exists()
    await server.close()


async def test_a_file_that_is_no_longer_ours_stays(server):
    server.path.unlink()
    server.path.write_text("another's")
    await server.close()
    assert server.path.exists()


async def test_what_a_dead_agent_left_behind_is_replaced(tmp_path):
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = LocalSocket(path, {"echo": echo})
    await server.open()
    assert await asked(server, {"command": "echo"}) == {"said": None}
    await server.close()


async def test_the_socket_of_a_living_agent_is_left_alone(server):
    with pytest.raises(LocalSocketError, match="another agent listens there"):
        await LocalSocket(server.path, {}).open()
    assert await asked(server, {"command": "echo"}) == {"said": None}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_what_is_no_socket_is_never_removed(tmp_path, server, kind):
    path = tmp_path / "in the way"
    {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to(server.path)}[kind]()
    with pytest.raises(LocalSocketError, match="is in the way and no socket"):
        await LocalSocket(path, {}).open()
    assert path.lstat()


async def test_a_path_too_long_or_without_a_folder_is_one_clear_error(tmp_path):
    with pytest.raises(LocalSocketError, match="at most 107 bytes"):
        await LocalSocket(tmp_path / ("x" * 120), {}).open()
    with pytest.raises(LocalSocketError, match="cannot listen there: No such file or directory"):
        await LocalSocket(tmp_path / "none" / "s", {}).open()


def test_asking_where_nobody_listens_says_so(tmp_path):
    with pytest.raises(LocalSocketError, match=r"no agent listens at .*; is it running"):
        ask(tmp_path / "none", {})


def test_an_agent_that_is_stuck_is_given_up_after_the_time(tmp_path):
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(tmp_path / "s"))
        stuck.listen()
        with pytest.raises(LocalSocketError, match=r"gave no answer within 0\.02 s"):
            ask(tmp_path / "s", {}, timeout_s=0.02)
