"""Events of sandboxes that have ended, read back from the audit log.

In: audit records. Out: the lines that `events` streams. Never: an event that is only in memory.
"""

import asyncio
from itertools import islice
from typing import Final

import msgspec

from cleanroom.api.streams import EventLine, NetworkLine
from cleanroom.audit.read import Filter, read
from cleanroom.daemon.host import Host
from cleanroom.errors import Code, Fault

_MOST: Final = 10_000


class _Record(msgspec.Struct):
    """The members of an audit line that an event line shows."""

    type: str
    time: str
    kind: str = ""
    detail: dict[str, str] = msgspec.field(default_factory=dict)
    phase: str = ""
    allowed: bool = False
    protocol: str = ""
    name: str = ""
    address: str = ""
    port: int = 0
    code: str = ""
    reason: str = ""
    rule: str = ""
    rule_line: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    repeated: int = 0
    artifact: str = ""
    strength: str = ""
    pin: str = ""
    cache: str = ""
    digest: str = ""


async def past_events(host: Host, sandbox_id: str) -> list[EventLine | NetworkLine]:
    """Return what the log says of one sandbox, oldest first, at most 10,000. Raises Fault."""
    try:
        lines = await asyncio.to_thread(_lines, host, sandbox_id)
    except OSError as error:
        message = f"cannot read the audit log: {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    return [line_of(line, number) for number, line in enumerate(lines, start=1)]


def line_of(record: bytes, sequence: int) -> EventLine | NetworkLine:
    """Return an audit line as a line of a stream."""
    found = msgspec.json.decode(record, type=_Record)
    if found.type != "network":
        return EventLine(
            time=found.time,
            sequence=sequence,
            kind=found.kind or found.type,
            detail=found.detail,
        )
    members = {
        name: getattr(found, name) for name in NetworkLine.__struct_fields__ if name != "sequence"
    }
    return NetworkLine(sequence=sequence, **members)


def _lines(host: Host, sandbox_id: str) -> list[bytes]:
    return list(islice(read(host.paths.audit, Filter(sandbox_id=sandbox_id)), _MOST))
