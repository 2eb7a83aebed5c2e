"""The content cache of this daemon: opened when it is first needed, proven before it is relied on.

In: its folder and bound. Out: the Store, links for gateways, whether it works. Never: a daemon that
does not start because of it; what needs it is refused, and the reason said.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import socket
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cleanroom.cache.store import Store
from cleanroom.daemon.cache_link import CacheLink
from cleanroom.gateway import store_wire as wire

_PATIENCE_S: Final = 30.0  # of a proof: a slow disk is no broken one


class Content:
    """Safe to use from several threads. Everything here blocks."""

    def __init__(self, folder: Path, limit: int, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._links: weakref.WeakSet[CacheLink] = weakref.WeakSet()
        self._is_closed = False

    def store(self) -> Store:
        """Return the store, open. Raises OSError, sqlite3.Error."""
        with self._lock:
            if self._is_closed:
                raise OSError(errno.ESHUTDOWN, "the content cache is closed")
            is_gone = self._store is not None and not self._store.is_in_place()
            if self._store is not None and is_gone:
                self._store.close()
                self._store = None
            if self._store is None:
                self._store = Store.open(self._folder, self._limit, self._clock)
            store = self._store
        if is_gone:
            self.tell_removed()
        return store

    def link(self) -> CacheLink:
        """Return the daemon's end for one gateway process, not started yet."""
        link = CacheLink(self.store)
        with self._lock:
            self._links.add(link)
        return link

    def tell_removed(self) -> None:
        """Say to every gateway that files went."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.tell_removed()

    def prove(self) -> str:
        """Keep something and get it back as a gateway does; return why that fails, or ""."""
        link = CacheLink(self.store)
        try:
            with link.theirs.dup() as sock:
                link.start()
                sock.settimeout(_PATIENCE_S)
                self.store().discard(_try(sock))
        except (OSError, sqlite3.Error, wire.PacketError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return f"the content cache {self._folder} does not work: {reason or error}"
        finally:
            link.close()
        return ""

    def close(self) -> None:
        """Release the files. Idempotent; nothing is opened again."""
        with self._lock:
            self._is_closed = True
            if self._store is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._store.close()
                self._store = None


def _try(sock: socket.socket) -> str:
    """Return the SHA-256 of what was kept. Raises OSError, PacketError."""
    word = secrets.token_hex(16)
    data, path = word.encode(), f"/{word}"
    _ask(sock, wire.Find(1, "proof.invalid", path))
    room = _descriptor(_ask(sock, wire.NeedRoom(1)))
    try:
        os.write(room, data)
    finally:
        os.close(room)
    sha256 = hashlib.sha256(data).hexdigest()
    _ask(sock, wire.Keep(1, sha256))
    blob = _descriptor(_ask(sock, wire.Find(2, "proof.invalid", path)))
    try:
        kept = os.pread(blob, 2 * len(data), 0)
    finally:
        os.close(blob)
    if kept != data:
        raise OSError(errno.EIO, "it does not give back what it was given")
    return sha256


def _ask(sock: socket.socket, message: wire.ToStore) -> list[int]:
    """Return the descriptors that came with the answer. Raises OSError, PacketError."""
    sock.send(wire.encode(message))
    packet, descriptors, _, _ = socket.recv_fds(sock, wire.MAX_PACKET_BYTES, 4)
    answer = wire.decode_for_gateway(packet)
    if isinstance(answer, wire.Failed):
        raise OSError(errno.EIO, answer.why)
    return descriptors


def _descriptor(descriptors: list[int]) -> int:
    if len(descriptors) != 1:
        raise OSError(errno.EIO, "it gave no file")
    return descriptors[0]
