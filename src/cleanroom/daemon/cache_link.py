"""The daemon's end of the content cache: does for a gateway what needs files.

In: packets of a gateway process, read as what a hostile process may send. Out: answers, with
descriptors. Never: a path in an answer; a blob that was not copied and hashed here; a packet that
is no message (the link is closed, and the gateway goes on without a cache).
"""

import contextlib
import errno
import logging
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, assert_never

from cleanroom.cache.model import Entry, Fields, Key
from cleanroom.cache.store import IntegrityError, Store
from cleanroom.gateway import store_wire as wire

_log = logging.getLogger(__name__)

_MOST_REQUESTS: Final = 16 * 1024  # at once, of all sandboxes of a gateway
_KEEPERS: Final = 2
_MOST_KEPT: Final = 256  # files that wait for a keeper: each has a descriptor of its own
_FAILURES: Final = (OSError, sqlite3.Error, IntegrityError)


@dataclass(slots=True)
class _Request:
    """What is known of one request of the gateway."""

    key: Key
    found: str = ""  # SHA-256 of the blob it was given
    room: int = -1  # the descriptor of its file


class CacheLink:
    """Serves one gateway process until its end closes, in threads of its own."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store  # opens it; may raise what a store that fails raises
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests: dict[int, _Request] = {}
        self._keepers = ThreadPoolExecutor(_KEEPERS, "cache-keep")
        self._to_keep = threading.BoundedSemaphore(_MOST_KEPT)
        self._thread = threading.Thread(target=self._serve, name="cache", daemon=True)

    def start(self) -> None:
        """Begin to serve; `theirs` belongs to the gateway process and is closed here."""
        self.theirs.close()
        self._thread.start()

    def close(self) -> None:
        """End the link and wait for what is being written. Idempotent."""
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        self.theirs.close()
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._end()

    def tell_removed(self) -> None:
        """Say that files went, so that none is served from memory that is not kept."""
        self._send(wire.Removed())

    def _serve(self) -> None:
        try:
            while packet := self._receive():
                self._obey(wire.decode_for_store(packet))
        except wire.PacketError:
            _log.exception("the gateway asked the content cache for what it does not have")
        finally:
            self._end()

    def _receive(self) -> bytes:
        try:
            return self._ours.recv(wire.MAX_PACKET_BYTES)
        except OSError:
            return b""

    def _end(self) -> None:
        self._keepers.shutdown(wait=True, cancel_futures=True)
        for request in self._requests.values():
            _close(request.room)
        self._requests.clear()
        self._ours.close()

    # --- messages -------------------------------------------------------------------------

    def _obey(self, message: wire.ToStore) -> None:
        if isinstance(message, wire.Find):
            self._find(message)
            return
        request = self._requests.get(message.request)
        if request is not None:
            self._obey_of(message, request)

    def _obey_of(self, message: wire.OfRequest, request: _Request) -> None:
        match message:
            case wire.NeedRoom():
                self._open_room(message.request, request)
            case wire.NeedSpace():
                self._begin_to_make_space(message)
            case wire.Keep():
                self._begin_to_keep(message, request)
            case wire.Validated():
                self._quietly(lambda: self._store().validated(request.key))
            case wire.Damaged():
                _log.warning("a damaged file was removed from the content cache: %s", request.found)
                self._quietly(lambda: self._store().discard(request.found))
            case wire.Drop():
                self._forget(message.request)
            case _:
                assert_never(message)

    def _forget(self, number: int) -> None:
        request = self._requests.pop(number, None)
        if request is not None:
            _close(request.room)

    def _find(self, message: wire.Find) -> None:
        for number in message.over:
            self._forget(number)
        if message.request in self._requests:
            error = "one number for two requests"
            raise wire.PacketError(error)
        if len(self._requests) >= _MOST_REQUESTS:
            # Not the link's end: sandboxes that ask for much must not take the cache from others.
            self._fail(message.request, OSError(errno.EMFILE, "too many requests at once"))
            return
        key = Key(message.host, message.path, message.form, message.identity)
        request = self._requests[message.request] = _Request(key)
        try:
            store = self._store()
            first_seen = store.first_seen(key)
            found = store.find(key)
        except _FAILURES as error:
            self._fail(message.request, error)
            return
        if found is None:
            self._send(wire.Found(message.request, None, first_seen))
            return
        entry, descriptor = found
        request.found = entry.digests.sha256
        stored = _stored(entry, store.age_s(entry))
        self._send(wire.Found(message.request, stored, first_seen), descriptor)

    def _open_room(self, number: int, request: _Request) -> None:
        _close(request.room)
        request.room = -1
        try:
            request.room = self._store().spool()
            descriptor = os.dup(request.room)
        except _FAILURES as error:
            self._fail(number, error)
            return
        self._send(wire.Room(number), descriptor)

    def _begin_to_keep(self, message: wire.Keep, request: _Request) -> None:
        if request.room < 0:
            error = "it was to keep a file that it does not have"
            raise wire.PacketError(error)
        if not self._may_wait(message.request):
            return
        try:
            room = os.dup(request.room)
        except OSError as error:
            self._to_keep.release()
            self._fail(message.request, error)
            return
        kept = self._keepers.submit(self._keep, message, request, room)
        kept.add_done_callback(lambda _: self._kept(room))  # also when it is cancelled

    def _may_wait(self, number: int) -> bool:
        """Count one that waits for a keeper; False: it was told that there are too many."""
        # SECURITY: a request may be dropped before its turn, and may ask again and again.
        if self._to_keep.acquire(blocking=False):
            return True
        self._fail(number, OSError(errno.EMFILE, "too many files at once"))
        return False

    def _begin_to_make_space(self, message: wire.NeedSpace) -> None:
        if self._may_wait(message.request):
            made = self._keepers.submit(self._make_space, message)
            made.add_done_callback(lambda _: self._to_keep.release())

    def _kept(self, room: int) -> None:
        os.close(room)
        self._to_keep.release()

    def _keep(self, message: wire.Keep, request: _Request, room: int) -> None:
        """Run in a thread of the keepers."""
        said, sha256 = message.said, message.sha256
        fields = Fields(said.content_type, said.etag, said.last_modified, said.sender)
        wanted = (f"sha256:{sha256}",)
        try:
            store = self._store()
            first_seen = store.first_seen(request.key) if message.first_seen else ""
            if first_seen in ("", sha256):
                store.keep(request.key, room, fields, wanted)
                if message.first_seen:
                    first_seen = store.see(request.key, sha256)
        except _FAILURES as error:
            self._fail(message.request, error)
        else:
            self._send(wire.Kept(message.request, first_seen))

    def _make_space(self, message: wire.NeedSpace) -> None:
        """Run in a thread of the keepers."""
        try:
            is_made = self._store().make_space(message.bytes)
        except _FAILURES as error:
            self._fail(message.request, error)
            return
        if is_made:
            self._send(wire.Space(message.request))
        else:
            self._fail(message.request, OSError(errno.ENOSPC, "No space left on device"))

    # --- answers --------------------------------------------------------------------------

    def _fail(self, number: int, error: Exception) -> None:
        _log.warning("the content cache failed: %s", error)
        why = error.strerror or "unknown" if isinstance(error, OSError) else str(error)
        self._send(wire.Failed(number, why[:200]))

    def _quietly(self, change: Callable[[], None]) -> None:
        try:
            change()
        except _FAILURES as error:
            _log.warning("the content cache failed: %s", error)

    def _send(self, message: wire.ToGateway, descriptor: int = -1) -> None:
        """Send one packet; the descriptor is closed here. A gateway that is gone hears nothing."""
        descriptors = [descriptor] if descriptor >= 0 else []
        try:
            socket.send_fds(self._ours, [wire.encode(message)], descriptors)
        except OSError:
            _log.debug("the gateway is gone")
        finally:
            _close(descriptor)


def _stored(entry: Entry, age_s: float) -> wire.Stored:
    digests, fields = entry.digests, entry.fields
    said = wire.Said(fields.content_type, fields.etag, fields.last_modified, fields.sender)
    return wire.Stored(digests.sha256, digests.sha512, digests.sha1, digests.size, said, age_s)


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
