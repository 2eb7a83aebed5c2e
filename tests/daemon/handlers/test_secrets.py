"""The hand-over as bytes: what a client that does it wrong is told."""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from cleanroom.daemon.handlers import secrets
from tests.daemon.daemons import Daemon, Setting, play, run_request, running
from tests.daemon.test_handovers import sealed

ASK = b"GET /v1/secrets/hand-over HTTP/1.1\r\nHost: d\r\n\r\n"


def open_files() -> int:
    """Return how many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Client:
    """A raw connection to a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(0)
        self.socket.connect(str(daemon.setting.paths.socket))
        self._loop = asyncio.get_running_loop()

    async def begins(self) -> None:
        """Ask, and read the head of the answer."""
        await self._loop.sock_sendall(self.socket, ASK)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self._loop.sock_recv(self.socket, 1)
        assert head.startswith(b"HTTP/1.1 101 ")

    async def gives(self, line: bytes, descriptors: list[int]) -> Any:  # noqa: ANN401 -- JSON
        """Send a line and return the answer."""
        socket.send_fds(self.socket, [line], descriptors)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await self.hears()
        return json.loads(answer)

    async def hears(self) -> bytes:
        """Return what comes next, b"" at the end."""
        return await self._loop.sock_recv(self.socket, 4096)


def test_a_ticket_lives_as_long_as_its_connection(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            client, value = Client(daemon), sealed()
            await client.begins()
            answer = await client.gives(b'["s"]\n', [value])
            os.close(value)
            with daemon.host.handovers.values(answer["ticket"]) as values:
                assert os.pread(values["s"], 99, 0) == b"a value of it"
            client.socket.close()
            body = run_request("true", options={"handover": answer["ticket"]})
            status, said = await daemon.ask("POST", "/v1/runs", body)
            while status == 201:  # the daemon has not seen its end yet
                status, said = await daemon.ask("POST", "/v1/runs", body)
            assert said["code"] == "secret_unavailable"

    play(conversation())


@pytest.mark.parametrize(
    ("line", "count", "why"),
    [
        (b"[]\n", 1, "0 ids came with 1 descriptors"),
        (b'["a","b"]\n', 1, "2 ids came with 1 descriptors"),
        (b'["a","a"]\n', 2, "2 ids came with 2 descriptors"),
        (b"no\n", 1, "cannot take values"),
        (b'["\xc9"]\n', 1, "cannot take values"),
        (b'"' + b"a" * 20_000 + b'"\n', 1, "too long"),
    ],
)
def test_what_does_not_fit_is_refused(short_path: Path, line: bytes, count: int, why: str) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            client, value = Client(daemon), sealed()
            await client.begins()
            answer = await client.gives(line, [value] * count)
            os.close(value)
            assert why in answer["detail"]
            client.socket.close()

    play(conversation())


def test_a_client_that_leaves_or_says_nothing_is_forgotten(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            leaving = Client(daemon)
            await leaving.begins()
            leaving.socket.close()
            monkeypatch.setattr(secrets, "_LINE_S", 0.05)
            silent = Client(daemon)
            await silent.begins()
            assert await silent.hears() == b""
            silent.socket.close()
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    play(conversation())


def test_descriptors_do_not_stay(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            before = open_files()
            for _ in range(5):
                client, value = Client(daemon), sealed()
                await client.begins()
                await client.gives(b'["s"]\n', [value])
                socket.send_fds(client.socket, [b"more"], [value] * 9)
                os.close(value)
                client.socket.close()
            for _ in range(600):
                if open_files() <= before:
                    break
                await asyncio.sleep(0.05)
            assert open_files() <= before

    play(conversation())
