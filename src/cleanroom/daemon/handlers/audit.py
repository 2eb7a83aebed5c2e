"""The audit log: read and verified.

In: a filter. Out: its lines as they stand in the files. Never: a line changed, or the event loop
held up by a long log.
"""

import asyncio
import itertools
import re
from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.streams import ExitLine, RecordLine
from cleanroom.api.types import AuditVerification
from cleanroom.audit import read as audit_read
from cleanroom.audit import verify as audit_verify
from cleanroom.audit.log import rfc3339
from cleanroom.daemon import ids
from cleanroom.daemon.call import AGO, Call, answer
from cleanroom.daemon.handlers import runs, sandboxes
from cleanroom.daemon.streams import NdjsonStream
from cleanroom.errors import Code, Fault, UserError

_BATCH: Final = 500
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?Z)?", re.ASCII)


async def read(call: Call) -> web.StreamResponse:
    """Stream matching lines, oldest first."""
    wanted = await _filter(call)
    lines = audit_read.read(call.host.paths.audit, wanted)
    count = 0
    async with NdjsonStream(call.request) as stream:
        try:
            while batch := await asyncio.to_thread(_take, lines):
                count += len(batch)
                for line in batch:
                    await stream.send(codec.encode_line(RecordLine(record=msgspec.Raw(line))))
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            message = f"cannot read the audit log: {error.strerror}"
            raise Fault(Code.INTERNAL, message) from error
        await stream.send(codec.encode_line(ExitLine(lines=count)))
    return stream.response


async def verify(call: Call) -> web.StreamResponse:
    """Check the whole chain."""
    try:
        found = await asyncio.to_thread(audit_verify.verify, call.host.paths.audit)
    except OSError as error:
        message = f"cannot read the audit log: {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    return answer(
        AuditVerification(ok=found.ok, lines=found.lines, place=found.place, reason=found.reason)
    )


def _take(lines: Iterator[bytes]) -> list[bytes]:
    return list(itertools.islice(lines, _BATCH))


async def _filter(call: Call) -> audit_read.Filter:
    query = call.request.query
    run_id = query.get("run_id", "")
    if run_id:
        run_id = (await runs.find(call, run_id)).id if run_id == "last" else ids.run_word(run_id)
    sandbox_id = query.get("sandbox_id", "")
    if sandbox_id.startswith("sbx_"):  # also of one that was removed: its lines stay
        sandbox_id = ids.sandbox_word(sandbox_id)
    elif sandbox_id:
        sandbox_id = (await sandboxes.find_word(call, sandbox_id)).id
    since = query.get("since", "")
    if ago := AGO.fullmatch(since):
        since = rfc3339(call.host.clock.now().timestamp() - float(ago[1]))
    if since and not _TIME.fullmatch(since):
        message = "cannot read the query parameter 'since'"
        raise UserError(Code.REQUEST_INVALID, message, "write 2026-01-31T12:00:00Z, or 90s")
    return audit_read.Filter(run_id, sandbox_id, call.flag("denied"), since)
