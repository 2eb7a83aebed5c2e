"""Pages as those see them who may not see all of them: made once, and long ones in a thread.

In: a Want, its page. Out: what its policy lets it have of that. Never: one view twice in memory;
more of them than a sandbox may have at once, it waits; a loop that makes pages and nothing else.

SECURITY: a page of 24 MiB takes a tenth of a second to judge, and four times as long if whoever
wrote it means it. Somebody who asks for it on hundreds of connections, and reads none of them, must
neither stop the others nor fill the gateway's memory: long pages are made one at a time.
"""

import hashlib
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from cleanroom.decide.cooldown import UnreadableError
from cleanroom.gateway.forms import remade_type
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.refining import refining
from cleanroom.gateway.source import Want
from cleanroom.gateway.spool import Body

GOOD_S: Final = 60.0  # then a page is judged anew: its versions have come of age
MOST_KEPT: Final = 32 * 1024 * 1024  # bytes of all views that nobody reads any more, but for one
MOST_LIVE: Final = 128 * 1024 * 1024  # bytes of one sandbox's views, before others of it wait
TURN: Final = 1024 * 1024  # bytes of pages, after which others have their turn
LONG: Final = 256 * 1024  # bytes of a page that is not made in anybody's turn
_PIN_BYTES: Final = 100  # that a pinned commit may add to a list of branches
_MOST_FAILED: Final = 64

_Key = tuple[object, ...]
_Again = Callable[[], None]


class View:
    """A page as it was made for somebody. It is there while somebody has it."""

    def __init__(self, data: bytes, since_s: float) -> None:
        self.data = data
        self.since_s = since_s
        self.etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'


class Sight:
    """How one Want sees pages."""

    def __init__(self, views: "Views", want: Want) -> None:
        self._views = views
        self._want = want

    def of(self, body: Body, again: _Again) -> View | None:
        """Return the view of a page that is whole; None: `again` is called, then it is to be tried.

        Raises UnreadableError, LostError.
        """
        return self._views.take(self._want, body, again)

    @property
    def content_type(self) -> str:
        """What a view is, where that is something else than the page; else ""."""
        return remade_type(self._want.grant, self._want.accept)

    def forget(self, again: _Again) -> None:
        """Wait no more. Idempotent."""
        self._views.forget(again)


class Views:
    """All views of a gateway."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._live: weakref.WeakValueDictionary[_Key, View] = weakref.WeakValueDictionary()
        self._kept: OrderedDict[_Key, View] = OrderedDict()
        self._kept_bytes = 0
        self._bytes: Counter[str] = Counter()  # that are live, by the sandbox they were made for
        self._line: dict[_Again, None] = {}
        self._made = 0  # bytes of pages in this turn
        self._failed: OrderedDict[_Key, tuple[float, str]] = OrderedDict()  # since when, and why
        self._thread = ThreadPoolExecutor(1, "page")
        self._is_busy = False

    def sight(self, want: Want) -> Sight | None:
        """Return how a Want sees pages; None: as they are."""
        return None if refining(want, 0.0) is None else Sight(self, want)

    def take(self, want: Want, body: Body, again: _Again) -> View | None:
        """Implement Sight.of."""
        key = _key(want, body)
        view = self._live.get(key)
        if view is not None and self._reactor.now() - view.since_s < GOOD_S:
            return view
        self._raise_known(key)
        is_long = _is_long(want, body)
        is_turn = self._bytes[want.sandbox_id] < MOST_LIVE and self._made < TURN
        if not is_turn or (is_long and self._is_busy):
            self._line[again] = None
            return None
        refine = refining(want, self._reactor.wall_s())
        page = body.read(0, body.size)
        if is_long and refine is not None:
            self._is_busy = True
            self._line[again] = None
            self._thread.submit(self._in_thread, key, want.sandbox_id, partial(refine, page))
            return None
        if not self._made:
            self._reactor.soon(self._next)
        self._made += max(1, body.size)
        view = View(page if refine is None else refine(page), self._reactor.now())
        self._add(key, want.sandbox_id, view)
        self._made += len(view.data)
        return view

    def forget(self, again: _Again) -> None:
        """Implement Sight.forget."""
        self._line.pop(again, None)

    def _raise_known(self, key: _Key) -> None:
        since_s, why = self._failed.get(key, (0.0, ""))
        if why and self._reactor.now() - since_s < GOOD_S:
            raise UnreadableError(why)

    def _in_thread(self, key: _Key, sandbox_id: str, make: Callable[[], bytes]) -> None:
        """Make a long page: the interpreter lets this thread and the loop take turns."""
        made: View | BaseException
        try:
            made = View(make(), self._reactor.now())
        except BaseException as error:  # noqa: BLE001 -- for the loop to raise, which ends all
            made = error
        self._reactor.post(lambda: self._come(key, sandbox_id, made))

    def _come(self, key: _Key, sandbox_id: str, made: View | BaseException) -> None:
        self._is_busy = False
        if isinstance(made, View):
            self._add(key, sandbox_id, made)
        elif isinstance(made, UnreadableError):
            self._failed[key] = (self._reactor.now(), str(made))
            if len(self._failed) > _MOST_FAILED:
                self._failed.popitem(last=False)
        else:
            raise made
        self._next()

    def _add(self, key: _Key, sandbox_id: str, view: View) -> None:
        self._bytes[sandbox_id] += len(view.data)
        weakref.finalize(view, self._gone, sandbox_id, len(view.data)).atexit = False
        self._live[key] = view
        self._keep(key, view)

    def _keep(self, key: _Key, view: View) -> None:
        older = self._kept.pop(key, None)
        self._kept_bytes += len(view.data) - (len(older.data) if older is not None else 0)
        self._kept[key] = view
        while self._kept_bytes > MOST_KEPT and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(gone.data)

    def _gone(self, sandbox_id: str, size: int) -> None:
        self._bytes[sandbox_id] -= size
        if not self._bytes[sandbox_id]:
            del self._bytes[sandbox_id]
        if self._line:
            self._reactor.soon(self._next)

    def _next(self) -> None:
        self._made = 0
        line, self._line = self._line, {}
        for again in line:
            again()


def _is_long(want: Want, body: Body) -> bool:
    """Tell whether a page takes more than a few milliseconds to make."""
    commits = want.grant.commits
    pins = len(commits.pinned.by_name) if commits is not None else 0
    return body.size + pins * _PIN_BYTES > LONG


def _key(want: Want, body: Body) -> _Key:
    """SECURITY: all that a view depends on, but the time."""
    grant = want.grant
    return (
        *(body.sha256, want.host, grant.manager, grant.kind, grant.path),
        *(grant.cooldown_s, grant.excepted, remade_type(grant, want.accept), grant.commits),
        *sorted(want.mirrors.values(), key=lambda each: each.host),
    )
