"""What the tests of the audit log share: records, and a log in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanroom.audit.log import AuditLog
from cleanroom.audit.record import Record
from cleanroom.events import LifecycleEvent, NetworkEvent, Protocol

NOON = 1_764_072_000.25  # 2025-11-25T12:00:00.250000Z


def network(name: str = "registry.example", *, allowed: bool = True) -> NetworkEvent:
    return NetworkEvent(
        phase="verdict",
        allowed=allowed,
        protocol=Protocol.TLS,
        name=name,
        address="203.0.113.7",
        port=443,
        code="" if allowed else "host_not_allowed",
        reason="" if allowed else f"no rule of the policy allows {name}",
    )


def record(name: str = "registry.example", *, allowed: bool = True, run: str = "run_1") -> Record:
    return Record(network(name, allowed=allowed), "uid:1000", "sbx_1", "exe_1", run)


def lifecycle(kind: str = "sandbox.ready", *detail: tuple[str, str]) -> Record:
    return Record(LifecycleEvent(kind, detail), "uid:1000", "sbx_1")


@contextmanager
def opened(folder: Path, max_segment_bytes: int = 1 << 20) -> Iterator[AuditLog]:
    log = AuditLog(folder, lambda: NOON, max_segment_bytes)
    try:
        yield log
    finally:
        log.close()


def write(folder: Path, *records: Record, max_segment_bytes: int = 1 << 20) -> None:
    """Append one batch a record, as a daemon that lives for as long."""
    with opened(folder, max_segment_bytes) as log:
        for one in records:
            log.append([one])


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def the_file(folder: Path) -> Path:
    (only,) = files(folder)
    return only


def open_descriptors() -> set[str]:
    return {str(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
