"""Agents that lie, over a real socket: the link ends, and says why; nothing else happens."""

import asyncio
import socket
import struct

import pytest

from cleanroom.backends.agent_link import AgentLink
from cleanroom.backends.base import Command
from cleanroom.errors import Code, Fault

COMMAND = Command(("true",), (), "/")
HELLO = struct.pack(">IBII", 4, 16, 0, 1)


def spoken(data: bytes) -> Fault:
    """What becomes of a command when the agent answers with `data` and hangs up."""

    async def run() -> Fault:
        ours, theirs = socket.socketpair()
        with theirs:
            link = AgentLink(ours)
            theirs.sendall(HELLO)
            await link.ready()
            process = await link.execute(COMMAND)
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(Fault) as error:
                await process.wait()
            await process.write_stdin(b"x")
            await link.closed()
            return error.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it has ended"),
        (HELLO, "a second greeting"),
        (struct.pack(">IBIBI", 5, 18, 9, 0, 0), "an execution it was not given"),
        (struct.pack(">IBI", 1 << 31, 17, 1), "a frame of type 17"),
        (struct.pack(">IBIBI", 5, 6, 1, 0, 1 << 31), "no window can hold"),
    ],
)
def test_an_agent_that_lies_is_cut_off(data: bytes, why: str) -> None:
    fault = spoken(data)
    assert fault.code is Code.BACKEND_TRANSPORT_ERROR
    assert why in fault.message


@pytest.mark.parametrize("greeting", [b"", struct.pack(">IBII", 4, 16, 0, 2), b"SSH-2.0-x\r\n"])
def test_who_does_not_greet_as_an_agent_is_none(greeting: bytes) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            link = AgentLink(ours)
            theirs.sendall(greeting)
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(Fault):
                await link.ready()
            assert not link.alive

    asyncio.run(run())


def test_an_agent_that_never_reads_does_not_fill_the_daemon() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            link = AgentLink(ours)
            theirs.sendall(HELLO)
            await link.ready()
            big = Command(("true", "x" * 900_000), (), "/")
            for _ in range(10):
                await link.execute(big)
            with pytest.raises(Fault, match="does not read"):
                await link.execute(big)

    asyncio.run(run())


def test_a_socket_that_breaks_ends_the_link() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        link = AgentLink(ours)
        theirs.sendall(HELLO)
        await link.ready()
        theirs.close()
        await link.closed()
        link.send(b"nobody hears this")
        assert not link.alive

    asyncio.run(run())
