"""The audit log: append-only, hash-chained lines in files of bounded size; the daemon alone writes.

In: records. Out: whole lines, in the file when `append` returns; one write(2) a batch, no fsync.
Never: two writers, a line acknowledged and not written, a log that goes on after it was changed
by someone else. Not to be called from two threads at once.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cleanroom.audit.pruning import Keep, began_before, outlived
from cleanroom.audit.record import Json, Kind, Record, encode_line, encode_record
from cleanroom.audit.segments import Head, segment_path, segments, tail
from cleanroom.errors import Code, Fault

MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class AuditLog:
    """The one writer of a directory. `now` returns seconds since the epoch (the wall clock).

    Opening creates what is missing (directory 0700, files 0600), takes the lock, and marks bytes
    of a line that a killed writer left unfinished. Raises Fault(conflict) if another process
    writes there, Fault(internal) if the log cannot be written or has no good line to go on from.
    """

    def __init__(
        self,
        directory: Path,
        now: Callable[[], float],
        max_segment_bytes: int = MAX_SEGMENT_BYTES,
    ) -> None:
        self._directory = directory
        self._now = now
        self._max_segment_bytes = max_segment_bytes
        self._head = Head()
        self._file = self._size = -1
        self._path = directory
        self._unfinished = False  # part of a refused batch is still in the file
        self._lock = _lock(directory)
        try:
            self._recover()
        except OSError as error:
            self.close()
            raise self._fault(error) from error
        except Fault:
            self.close()
            raise

    @property
    def head(self) -> Head:
        """The newest line. Whoever keeps it elsewhere can prove later that nothing was cut off."""
        return self._head

    def append(self, records: Sequence[Record]) -> None:
        """Write `records` as lines. When it returns they are in the file, all of them.

        Raises Fault(internal), and then none of them is: disk full, file gone, log closed.
        """
        time = rfc3339(self._now())
        seq, link = self._head.seq, self._head.hash
        encoded: list[bytes] = []
        for record in records:
            seq += 1
            line, link = encode_record(record, seq, time, link)
            encoded.append(line)
        self._append(b"".join(encoded), Head(seq, link))

    def prune(self, keep: Keep) -> int:
        """Remove the oldest files beyond these bounds; return how many. Raises Fault(internal).

        The line that says so is in the log first: `verify` takes no other removal for one of ours.
        """
        try:
            if self._size and began_before(self._path, rfc3339(self._now() - keep.file_age_s)):
                self._open(self._head.seq + 1)
            found = outlived(self._directory, keep, self._now())
            if not found.files:
                return 0
            self._say_pruned(found.last)
            for path in found.files:
                path.unlink()
        except OSError as error:
            raise self._fault(error) from error
        return len(found.files)

    def _say_pruned(self, last: Head | None) -> None:
        until = last or self._head
        members: dict[str, Json] = {"pruned_to": until.seq, "pruned_hash": until.hash}
        seq, time = self._head.seq + 1, rfc3339(self._now())
        line, link = encode_line(Kind.PRUNED, members, seq, time, self._head.hash)
        self._append(line, Head(seq, link))
        os.fsync(self._file)  # a power cut must not keep the removal and lose the line

    def close(self) -> None:
        """Release the files and the lock. Idempotent."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _append(self, data: bytes, head: Head) -> None:
        if self._file < 0:
            message = "cannot write the audit log: it is closed"
            raise Fault(Code.INTERNAL, message)
        try:
            self._check_unchanged()
            if self._size and self._size + len(data) > self._max_segment_bytes:
                self._open(self._head.seq + 1)
            self._write(data)
        except OSError as error:
            raise self._fault(error) from error
        self._size += len(data)
        self._head = head

    def _check_unchanged(self) -> None:
        if self._unfinished:
            self._take_back()
        status = os.fstat(self._file)
        if status.st_size != self._size or status.st_nlink == 0:
            message = f"cannot write the audit log: someone else changed it in {self._directory}"
            raise Fault(Code.INTERNAL, message, "run: cleanroom audit verify")

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        self._unfinished = True
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            # Nothing of this batch was acknowledged: the part that fitted goes again.
            self._take_back()
            raise
        self._unfinished = False

    def _take_back(self) -> None:
        os.ftruncate(self._file, self._size)
        self._unfinished = False

    def _open(self, first_seq: int) -> None:
        path = segment_path(self._directory, first_seq)
        descriptor = os.open(path, _FLAGS, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._path = descriptor, path
        os.fchmod(descriptor, 0o600)
        self._size = os.fstat(descriptor).st_size

    def _recover(self) -> None:
        found = segments(self._directory)
        if not found:
            self._open(1)
            return
        newest = found[-1]
        end = tail(newest.path)
        self._head = end.head or self._head_before(newest.first_seq)
        self._open(newest.first_seq)
        if end.newline_missing:
            self._append(b"\n", self._head)
        elif end.torn:
            self._mark(end.torn)

    def _head_before(self, first_seq: int) -> Head:
        for segment in reversed(segments(self._directory)):
            head = tail(segment.path).head if segment.first_seq < first_seq else None
            if head is not None:
                return head
        if first_seq > 1:
            message = f"cannot open the audit log: no whole line is left in {self._directory}"
            raise Fault(Code.INTERNAL, message, "move its files away; a new log begins then")
        return Head()

    def _mark(self, torn: bytes) -> None:
        """Keep the bytes of an unfinished line; the next line says what they are."""
        ending = b"" if torn.endswith(b"\n") else b"\n"
        whole = torn + ending
        digest = hashlib.sha256(whole).hexdigest()
        line, link = encode_line(
            Kind.RECOVERED,
            {"torn_bytes": len(whole), "torn_sha256": digest},
            self._head.seq + 1,
            rfc3339(self._now()),
            self._head.hash,
        )
        self._append(ending + line, Head(self._head.seq + 1, link))

    def _fault(self, error: OSError) -> Fault:
        message = f"cannot write the audit log in {self._directory}: {error.strerror}"
        return Fault(
            Code.INTERNAL, message, "make it writable; until then no connection is allowed"
        )


def rfc3339(seconds: float) -> str:
    """Return a time since the epoch as the log writes it: UTC, microseconds, `Z`."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


def _lock(directory: Path) -> int:
    """Make the directory ours and locked; return the descriptor that holds the lock."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(directory, flags)
    except OSError as error:
        message = f"cannot open the audit log in {directory}: {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    try:
        os.fchmod(descriptor, 0o700)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        busy = isinstance(error, BlockingIOError)
        reason = "another process writes it" if busy else error.strerror
        message = f"cannot open the audit log in {directory}: {reason}"
        if busy:
            raise Fault(Code.CONFLICT, message, "use that daemon, or stop it") from error
        raise Fault(Code.INTERNAL, message) from error
    return descriptor
