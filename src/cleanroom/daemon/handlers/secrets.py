"""Secrets: what a run would need, and the connection on which values are handed over.

In: SecretNeedsRequests; descriptors by SCM_RIGHTS. Out: SecretNeeds; tickets. Never: a value, in
any answer, log or record; a descriptor kept when its client is gone.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.problem import problem_of
from cleanroom.api.secret_types import SecretNeedsRequest
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.config_mirrors import MAX_MIRRORS
from cleanroom.daemon.policies import MAX_POLICY_BODY
from cleanroom.daemon.secrets import needs_of_run
from cleanroom.errors import CleanroomError, Code, Fault, UserError
from cleanroom.policy.parse_secrets import MAX_SECRETS

_LINE_LIMIT: Final = 16 * 1024
_MOST: Final = MAX_SECRETS + MAX_MIRRORS
_LINE_S: Final = 30.0  # a client writes its line at once
_HEADERS: Final = {"Connection": "Upgrade", "Upgrade": "cleanroom-secrets"}


async def needs(call: Call) -> web.StreamResponse:
    """Return every binding of a policy, and where the client finds its value."""
    request = await call.read(SecretNeedsRequest, MAX_POLICY_BODY)
    return answer(await needs_of_run(request, call.host, call.who))


async def hand_over(call: Call) -> web.StreamResponse:
    """Take descriptors, answer their ticket, keep them until the client closes the connection."""
    connection, transport = _connection(call)
    loop = asyncio.get_running_loop()
    # Before the answer: what the client sends after it must not be read without its descriptors.
    transport.pause_reading()
    response = web.StreamResponse(status=101, headers=_HEADERS)
    response.force_close()
    await response.prepare(call.request)
    with socket.socket(fileno=os.dup(connection.fileno())) as own, _received() as received:
        try:
            async with asyncio.timeout(_LINE_S):
                ids = await _line(own, received)
            with call.host.handovers.held(_named(ids, received)) as ticket:
                transport.write(json.dumps({"ticket": ticket}).encode() + b"\n")
                while await loop.sock_recv(own, _LINE_LIMIT):  # descriptors are dropped
                    pass
        except CleanroomError as error:
            transport.write(codec.encode(problem_of(error)) + b"\n")
        except (TimeoutError, ConnectionError):
            pass  # nobody reads an answer
    return response


def _connection(call: Call) -> tuple[socket.socket, asyncio.Transport]:
    transport = call.request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if transport is None or connection is None:
        message = "cannot tell who is connected"
        raise Fault(Code.INTERNAL, message)
    return connection, transport


@contextlib.contextmanager
def _received() -> Iterator[list[int]]:
    """Close whatever descriptors came, at the end."""
    received: list[int] = []
    try:
        yield received
    finally:
        for descriptor in received:
            os.close(descriptor)


async def _line(own: socket.socket, received: list[int]) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = await _bytes(own, received)
        line += data
        if not data:
            raise ConnectionError
        if len(line) > _LINE_LIMIT:
            message = "cannot take values: the list of ids is too long"
            raise UserError(Code.REQUEST_INVALID, message)
    return line


async def _bytes(own: socket.socket, received: list[int]) -> bytes:
    """Return what comes next, b"" at the end; descriptors are added to `received`."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, descriptors, _, _ = socket.recv_fds(own, _LINE_LIMIT, _MOST)
        except BlockingIOError:
            ready: asyncio.Future[None] = loop.create_future()
            loop.add_reader(own.fileno(), _set, ready)
            try:
                await ready
            finally:
                loop.remove_reader(own.fileno())
            continue
        received += descriptors
        return data


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _named(line: bytes, received: list[int]) -> dict[str, int]:
    try:
        ids = msgspec.json.decode(line, type=list[str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"cannot take values: {error}"
        raise UserError(Code.REQUEST_INVALID, message) from error
    if len(set(ids)) != len(ids) or len(ids) != len(received):
        message = f"cannot take values: {len(ids)} ids came with {len(received)} descriptors"
        raise UserError(Code.REQUEST_INVALID, message)
    return dict(zip(ids, received, strict=True))
