"""One NDJSON answer: lines as they come, always a terminal one, never held up by nothing.

In: encoded lines. Out: a chunked response. Never: an end without `exit` or `error`, unless the
client is gone; a handler that waits for ever for a client that is gone.
"""

import asyncio
import select
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.problem import bug_problem, problem_of
from cleanroom.api.streams import ErrorLine
from cleanroom.api.types import Problem
from cleanroom.errors import CleanroomError

_LOOK_S: Final = 1.0  # how often a waiting stream looks whether its client is still there


class NdjsonStream:
    """To be used as `async with`; `lost` says afterwards that the client went away."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse()
        self.response.content_type = "application/x-ndjson"
        self.lost = False

    async def __aenter__(self) -> Self:
        await self.response.prepare(self._request)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, CleanroomError):
            await self._last(problem_of(error))
            return True
        if isinstance(error, ConnectionError):
            self.lost = True
            return True
        if isinstance(error, Exception):
            await self._last(bug_problem("go on"))
        return False

    async def _last(self, problem: Problem) -> None:
        try:
            await self.send(codec.encode_line(ErrorLine(problem=problem)))
        except ConnectionError:
            self.lost = True

    async def send(self, line: bytes) -> None:
        """Send a line, waiting while the client does not read. Raises ConnectionError."""
        await self.response.write(line)

    async def until(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait for something to happen. Raises ConnectionError if the client goes away."""
        task = asyncio.get_running_loop().create_task(waiting)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_LOOK_S)
                if not task.done() and self._gone():
                    raise ConnectionResetError
        finally:
            task.cancel()

    def _gone(self) -> bool:
        return hung_up(self._request)


def hung_up(request: web.Request) -> bool:
    """Return whether the client closed its end, also while nothing is read from it."""
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if transport is None or transport.is_closing() or connection is None:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
