"""Tasks that outlive the request which began them: owned, named, ended.

In: coroutines. Out: tasks that are awaited before the daemon ends. Never: an orphan, or one task's
bug ending the others.

A TaskGroup is not enough here: it cancels every sibling when one task fails, and one sandbox's
fault would end all of them. Inside a piece of work the daemon uses TaskGroups like everyone else.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Tasks:
    """The set of running tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Start `work`; its traceback is logged if it fails. After `close` it never runs."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        if self._closed:
            task.cancel()
        return task

    def __len__(self) -> int:
        return len(self._running)

    async def close(self, grace_s: float = 0.0) -> None:
        """Wait `grace_s` for what runs, cancel the rest, and wait for its end."""
        self._closed = True
        if self._running and grace_s > 0:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in tuple(self._running):
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("a task failed: %s", task.get_name(), exc_info=error)
