"""Standard input on its way from a client to a command: bounded, in order.

In: messages of a client that may send faster than the command reads. Out: writes to the command.
Never: more than a bound in memory, or the end of a client unnoticed because its input waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from cleanroom.daemon.executions import LiveExecution
from cleanroom.errors import CleanroomError

MOST_BYTES: Final = 1024 * 1024
_LOOK_S: Final = 0.5


class StdinQueue:
    """What one client sent and the command has not read. After the command's end all is dropped."""

    def __init__(self, live: LiveExecution, taken: Callable[[int], Awaitable[None]]) -> None:
        """`taken` is told how many bytes the command has been given in all."""
        self._live = live
        self._taken = taken
        self._given = 0
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._came = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, data: bytes, gone: Callable[[], bool]) -> None:
        """Add bytes, waiting for room. Raises ConnectionError if `gone` says so meanwhile."""
        while self._size >= MOST_BYTES:
            self._room.clear()
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._room.wait()
            except TimeoutError:
                if gone():
                    raise ConnectionResetError from None
        self._waiting.append(data)
        self._size += len(data)
        self._came.set()

    def end(self) -> None:
        """No more will come. Idempotent."""
        self._ended = True
        self._came.set()

    async def feed(self) -> None:
        """Write everything to the command, then its end."""
        try:
            while True:
                while self._waiting:
                    data = self._waiting.popleft()
                    await self._live.write_stdin(data)
                    self._size -= len(data)
                    self._room.set()
                    self._given += len(data)
                    await self._taken(self._given)
                if self._ended:
                    await self._live.close_stdin()
                    return
                self._came.clear()
                await self._came.wait()
        except CleanroomError:
            return  # the sandbox is gone, and its execution says why
