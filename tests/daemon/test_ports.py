"""Ports in: one listener each, ended with its sandbox; carried both ways."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from cleanroom.daemon import ports
from tests.daemon.daemons import Daemon, Json, Setting, execution_path, play, running
from tests.daemon.test_sandboxes import create
from tests.fake_process import FakeProcess

PORTS = "/v1/sandboxes/dev/ports"


async def shout(process: FakeProcess) -> int:
    """Stand for a server inside: answer in capitals, and say goodbye at the end of the input."""
    while data := await process.read():
        await process.say(data.upper())
        await process.say(b"not of the connection", 2)
    await process.say(b"bye")
    return 0


async def nobody(_process: FakeProcess) -> int:
    """Nobody listens."""
    return 1


def setting(folder: Path) -> Setting:
    """A daemon in whose sandboxes somebody listens."""
    made = Setting(folder)
    made.backend.programs["connect"] = shout
    return made


async def published(daemon: Daemon, port: int = 3000, host_port: int = 0) -> tuple[int, Json]:
    """Ask for a port."""
    return await daemon.ask("POST", PORTS, {"port": port, "host_port": host_port})


async def say(port: int, data: bytes) -> bytes:
    """Connect, say this, hear everything."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if data:
        writer.write_eof()
    heard = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return heard


def test_what_connects_is_carried_both_ways(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            status, made = await published(daemon)
            assert (status, made["port"]) == (201, 3000)
            assert made["address"] == f"127.0.0.1:{made['host_port']}"
            heard = await asyncio.gather(*(say(made["host_port"], b"hello") for _ in range(5)))
            assert heard == [b"HELLObye"] * 5
            argv = {each.command.argv for each in daemon.backend.sandboxes[0].processes}
            assert argv == {("connect", "3000")}
            assert (await daemon.ask("GET", PORTS))[1] == {"ports": [made]}
            assert await published(daemon) == (201, made)  # the same wish, granted once
            assert await published(daemon, host_port=made["host_port"]) == (201, made)

    play(conversation())


def test_nobody_inside_is_an_empty_answer(short_path: Path) -> None:
    async def conversation() -> None:
        made = setting(short_path)
        made.backend.programs["connect"] = nobody
        async with running(made) as daemon:
            await create(daemon, sandbox="dev")
            _, port = await published(daemon)
            assert await say(port["host_port"], b"") == b""

    play(conversation())


def test_a_number_that_is_taken_is_refused(short_path: Path) -> None:
    async def conversation() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            async with running(setting(short_path)) as daemon:
                await create(daemon, sandbox="dev")
                status, problem = await published(daemon, host_port=taken)
                assert (status, problem["code"]) == (409, "conflict")
                assert "3000:0" in problem["hint"]
                _, made = await published(daemon)
                status, problem = await published(daemon, host_port=taken)
                assert (status, made["address"] in problem["detail"]) == (409, True)

    play(conversation())


def test_a_number_that_may_not_be_used_is_refused(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(*_: object) -> asyncio.Server:
        raise PermissionError(13, "Permission denied")

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            with monkeypatch.context() as poor:
                poor.setattr(asyncio, "start_server", forbidden)
                status, problem = await published(daemon, host_port=80)
            assert (status, "Permission denied" in problem["detail"]) == (503, True)

    play(conversation())


def refuses(port: int) -> bool:
    """Say whether nobody listens here."""
    try:
        socket.create_connection(("127.0.0.1", port), 30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_ends_with_its_sandbox_and_cuts_what_is_under_way(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            _, made = await published(daemon)
            reader, writer = await asyncio.open_connection("127.0.0.1", made["host_port"])
            writer.write(b"x")
            assert await reader.read(1) == b"X"
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            async with asyncio.timeout(30):
                assert await reader.read() in (b"", b"bye")
            writer.close()
            assert refuses(made["host_port"])
            for method, body in (("GET", None), ("POST", {"port": 1, "host_port": 0})):
                status, problem = await daemon.ask(method, PORTS, body)
                assert (status, problem["code"]) == (409, "conflict")

    play(conversation())


def test_a_run_publishes_before_its_command_starts_or_does_not_start(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            wish = {"port": 3000, "host_port": 0}
            run = await daemon.run("sleep", publish=[wish])
            (note,) = [each for each in run["notes"] if "port 3000" in each]
            number = int(note.rpartition(":")[2])
            assert await say(number, b"a") == b"Abye"
            await daemon.ask("POST", f"{execution_path(run)}/signal", {"signal": "KILL"})
            await daemon.finished(run)
            assert refuses(number)  # its sandbox ended with it
            with socket.create_server(("127.0.0.1", 0)) as other:
                wish["host_port"] = other.getsockname()[1]
                body = {
                    "workspace": "/home/someone/project",
                    "command": ["true"],
                    "options": {"detach": True, "publish": [wish]},
                }
                status, problem = await daemon.ask("POST", "/v1/runs", body)
            assert (status, problem["code"]) == (409, "conflict")
            assert daemon.host.sandboxes.live == []
            assert [each.command.argv[0] for each in daemon.backend.sandboxes[1].processes] == []

    play(conversation())


def test_without_an_audit_nothing_is_published(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ports.Bridge] = []
    listen = ports.Bridge.listen

    async def listened(self: ports.Bridge, number: int) -> int:
        made.append(self)
        return await listen(self, number)

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            monkeypatch.setattr(ports.Bridge, "listen", listened)
            daemon.host.journal.close()
            assert (await published(daemon))[0] == 500
            (bridge,) = made
            assert bridge._server is not None
            assert not bridge._server.is_serving()

    play(conversation())
