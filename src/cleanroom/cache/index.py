"""The index of the content cache: a small SQLite file.

In: keys, what was found to be true of blobs. Out: entries. Never: a blob's bytes; an entry before
its blob is in place; an exception for another process that writes the same file.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from cleanroom.cache.model import Digests, Entry, Fields, Info, Key

_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS blobs (
  sha256 TEXT PRIMARY KEY, sha512 TEXT NOT NULL, sha1 TEXT NOT NULL,
  size INTEGER NOT NULL, used_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blobs_by_use ON blobs (used_s);
CREATE TABLE IF NOT EXISTS entries (
  host TEXT NOT NULL, path TEXT NOT NULL, form TEXT NOT NULL, identity TEXT NOT NULL,
  sha256 TEXT NOT NULL, content_type TEXT NOT NULL, etag TEXT NOT NULL,
  last_modified TEXT NOT NULL, sender TEXT NOT NULL, validated_s INTEGER NOT NULL,
  PRIMARY KEY (host, path, form, identity)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_blob ON entries (sha256);
CREATE TABLE IF NOT EXISTS seen (
  host TEXT NOT NULL, path TEXT NOT NULL, identity TEXT NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (host, path, identity)
) STRICT, WITHOUT ROWID;
"""
_BUSY_S: Final = 30.0
Row = tuple[Any, ...]  # STRICT tables: each column has the type that the schema says
_USE_S: Final = 600  # a use is written down when the last one is longer ago


class Index:
    """One process's view of the file; safe to use from several threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make it. Raises sqlite3.Error; one of an unknown version is made anew."""
        connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            # It holds nothing that the registries do not have: no migration, a fresh start.
            for table in ("blobs", "entries", "seen"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")  # a name from this very line
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        return cls(connection)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def find(self, key: Key, now_s: int) -> Entry | None:
        """Return what is known under `key`, and write down that it was used."""
        row = self._one(
            "SELECT b.sha256, b.sha512, b.sha1, b.size, b.used_s, e.content_type, e.etag,"
            " e.last_modified, e.sender, e.validated_s"
            " FROM entries e JOIN blobs b ON b.sha256 = e.sha256"
            " WHERE e.host = ? AND e.path = ? AND e.form = ? AND e.identity = ?",
            (key.host, key.path, key.form, key.identity),
        )
        if row is None:
            return None
        if now_s - row[4] > _USE_S:
            # What is kept is there also while nothing can be written, as on a full disk.
            with suppress(sqlite3.OperationalError):
                self._do("UPDATE blobs SET used_s = ? WHERE sha256 = ?", (now_s, row[0]))
        return Entry(Digests(*row[:4]), Fields(*row[5:9]), row[9])

    def add(self, key: Key, digests: Digests, fields: Fields, now_s: int) -> None:
        """Take note of a blob that is in place."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET used_s = excluded.used_s",
                (digests.sha256, digests.sha512, digests.sha1, digests.size, now_s),
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(key.host, key.path, key.form, key.identity, digests.sha256),
                    *(fields.content_type, fields.etag, fields.last_modified),
                    *(fields.sender, now_s),
                ),
            )

    def validated(self, key: Key, now_s: int) -> None:
        """Take note that the upstream said again that this is its answer."""
        self._do(
            "UPDATE entries SET validated_s = ?"
            " WHERE host = ? AND path = ? AND form = ? AND identity = ?",
            (now_s, key.host, key.path, key.form, key.identity),
        )

    def first_seen(self, key: Key, sha256: str = "") -> str:
        """Return the digest that was seen first under `key`; `sha256` is that one if there is none.

        It outlives the blob: what was seen once binds until `forget_seen`.
        """
        place = (key.host, key.path, key.identity)
        if sha256:
            self._do("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)", (*place, sha256))
        row = self._one(
            "SELECT sha256 FROM seen WHERE host = ? AND path = ? AND identity = ?", place
        )
        return row[0] if row else ""

    def forget(self, sha256: str) -> None:
        """Forget a blob and every entry that leads to it."""
        with self._transaction():
            self._connection.execute("DELETE FROM entries WHERE sha256 = ?", (sha256,))
            self._connection.execute("DELETE FROM blobs WHERE sha256 = ?", (sha256,))

    def oldest(self, bytes_to_free: int) -> list[str]:
        """Return blobs to forget, the longest unused first, until so many bytes are free."""
        found, freed = [], 0
        for sha256, size in self._all("SELECT sha256, size FROM blobs ORDER BY used_s, sha256"):
            if freed >= bytes_to_free:
                break
            found.append(sha256)
            freed += size
        return found

    def oldest_entries(self, entries_to_free: int) -> list[str]:
        """Return blobs to forget, the longest unused first, until so many entries are gone."""
        found, freed = [], 0
        for sha256, count in self._all(
            "SELECT b.sha256, count(e.host) FROM blobs b LEFT JOIN entries e ON e.sha256 = b.sha256"
            " GROUP BY b.sha256 ORDER BY b.used_s, b.sha256"
        ):
            if freed >= entries_to_free:
                break
            found.append(sha256)
            freed += count
        return found

    def seen(self) -> int:
        """Return how many digests were seen first."""
        count: int = self._all("SELECT count(*) FROM seen")[0][0]
        return count

    def forget_seen(self, rows: int) -> None:
        """Forget so many digests that were seen first: of the host that has most of them.

        Those whose blob is gone go first, as it was not used for long; then by the blob's use.
        """
        # SECURITY: who has a host of his own asked for endless names pushes out none but his own.
        self._do(
            "DELETE FROM seen WHERE (host, path, identity) IN ("
            "SELECT s.host, s.path, s.identity FROM seen s LEFT JOIN blobs b ON b.sha256 = s.sha256"
            " WHERE s.host = (SELECT host FROM seen GROUP BY host ORDER BY count(*) DESC LIMIT 1)"
            " ORDER BY coalesce(b.used_s, 0), s.path LIMIT ?)",
            (rows,),
        )

    def blobs(self) -> dict[str, int]:
        """Return every blob with its length."""
        return dict(self._all("SELECT sha256, size FROM blobs"))

    def info(self, limit: int) -> Info:
        """Return what is here."""
        blobs, size = self._all("SELECT count(*), coalesce(sum(size), 0) FROM blobs")[0]
        entries = self._all("SELECT count(*) FROM entries")[0][0]
        return Info(entries, blobs, size, limit)

    def bytes_of_git(self) -> int:
        """Return how much is kept of git repositories, whose answers have forms of their own."""
        size: int = self._all(
            "SELECT coalesce(sum(size), 0) FROM blobs WHERE sha256 IN"
            " (SELECT sha256 FROM entries WHERE form = 'git' OR form LIKE 'git %')"
        )[0][0]
        return size

    # --- inside ---------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # One that a full disk ended is over already; one that stays open would stop all.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _do(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._connection.execute(statement, values)

    def _one(self, statement: str, values: tuple[object, ...]) -> Row | None:
        with self._lock:
            row: Row | None = self._connection.execute(statement, values).fetchone()
            return row

    def _all(self, statement: str) -> list[Row]:
        with self._lock:
            return self._connection.execute(statement).fetchall()
