"""The gateway's event loop: edge-triggered epoll, timers, calls from threads.

In: descriptors and functions. Out: calls, all on the thread of `run`. Never: a byte of anybody's.

Own, not asyncio: a relay needs one registration a socket for its whole life, no task or future a
connection, and turns shared fairly between connections; measured in bench/relay.py.
"""

import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

READABLE: Final = select.EPOLLIN
WRITABLE: Final = select.EPOLLOUT
HUNG_UP: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

Call = Callable[[], None]


class Watcher(Protocol):
    """Who is told that a descriptor became ready."""

    def ready(self, events: int) -> None:
        """Take note of READABLE, WRITABLE and HUNG_UP. Told once until the state changes again."""
        ...


class Timer:
    """A call in the future."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call: Call | None = call

    def cancel(self) -> None:
        """Do not call. Idempotent."""
        self._call = None

    def fire(self) -> None:
        """Call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()

    @property
    def is_pending(self) -> bool:
        """Whether it is still going to call."""
        return self._call is not None


class Reactor:
    """One thread's loop. Every method but `post` belongs to that thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watchers: dict[int, Watcher] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._turn: deque[Call] = deque()
        self._after_turn: list[Call] = []
        self._posted: deque[Call] = deque()
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._stopped = False

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def today(self) -> str:
        """Return the date in UTC: "2027-01-31"."""
        return time.strftime("%Y-%m-%d", time.gmtime())

    def wall_s(self) -> float:
        """Return seconds since 1970: for dates that others wrote, never for waiting."""
        return time.clock_gettime(time.CLOCK_REALTIME)

    def watch(self, descriptor: int, watcher: Watcher) -> None:
        """Tell `watcher` of every change of readiness until `forget`.

        Raises OSError when the kernel has no room for one more; then it is not watched.
        """
        interest = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        self._epoll.register(descriptor, interest)
        self._watchers[descriptor] = watcher

    def hand_over(self, descriptor: int, watcher: Watcher) -> None:
        """Tell somebody else from now on. What was told before is for the two to pass on."""
        self._watchers[descriptor] = watcher

    def forget(self, descriptor: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        if self._watchers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def closing(self, descriptor: int) -> None:
        """Stop watching a descriptor that is closed right after, and has no duplicate anywhere.

        epoll then forgets it by itself. With a duplicate it would not.
        """
        self._watchers.pop(descriptor, None)

    def later(self, delay_s: float, call: Call) -> Timer:
        """Call after `delay_s`, unless cancelled."""
        timer = Timer(call)
        heapq.heappush(self._timers, (self.now() + delay_s, next(self._order), timer))
        return timer

    def soon(self, call: Call) -> None:
        """Call on the next turn, after whoever else is ready had theirs."""
        self._turn.append(call)

    def after_turn(self, call: Call) -> None:
        """Call when this turn's events are handled, before waiting for more."""
        self._after_turn.append(call)

    def post(self, call: Call) -> None:
        """Call soon. The one method for other threads."""
        with self._lock:
            self._posted.append(call)
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """Let `run` return after this turn."""
        self._stopped = True

    def close(self) -> None:
        """Release the loop's own descriptors."""
        self._epoll.close()
        os.close(self._wake)

    def run(self) -> None:
        """Serve until `stop`."""
        while not self._stopped:
            self.turn()

    def turn(self, max_wait_s: float = 60.0) -> None:
        """Wait for something to be ready and handle all of it once."""
        for descriptor, events in self._epoll.poll(self._wait_s(max_wait_s)):
            if descriptor == self._wake:
                self._take_posted()
                continue
            watcher = self._watchers.get(descriptor)
            if watcher is not None:  # else forgotten earlier in this very turn
                watcher.ready(events)
        self._run_timers()
        for _ in range(len(self._turn)):
            self._turn.popleft()()
        while self._after_turn:
            calls, self._after_turn = self._after_turn, []
            for call in calls:
                call()

    def _wait_s(self, max_wait_s: float) -> float:
        while self._timers and not self._timers[0][2].is_pending:
            heapq.heappop(self._timers)
        if self._turn or self._after_turn:
            return 0.0
        if self._timers:
            return min(max_wait_s, max(0.0, self._timers[0][0] - self.now()))
        return max_wait_s

    def _run_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].fire()

    def _take_posted(self) -> None:
        os.eventfd_read(self._wake)
        with self._lock:
            calls, self._posted = self._posted, deque()
        for call in calls:
            call()
