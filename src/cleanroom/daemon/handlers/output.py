"""The output of an execution as a stream, while it runs and for days after.

In: an execution, where to begin: a byte of each stream, a number of last lines, a time. Out: output
lines, the exit. Never: output dropped without a gap line.
"""

from datetime import datetime
from typing import Final

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.streams import ExitLine
from cleanroom.api.types import Execution
from cleanroom.daemon.call import AGO, Call
from cleanroom.daemon.executions import CANCELED
from cleanroom.daemon.handlers.executions import find
from cleanroom.daemon.output import Chunk, Gap, OutputLog, OutputReader, Wanted
from cleanroom.daemon.output_lines import OutputLines
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.daemon.streams import NdjsonStream
from cleanroom.daemon.transcript import Transcript, begin_at
from cleanroom.errors import Code, Fault, UserError

MOST_LINES: Final = 1_000_000


async def output(call: Call) -> web.StreamResponse:
    """Stream output; with `follow`, until the command has ended."""
    run = call.started_run()
    stored = await find(call, run)
    if run is None:
        return await _past(call, stored)
    live = run.started()
    wanted = await _beginning(call, stored, live.output)
    follow = call.flag("follow")
    owner = follow and run.take_ownership()
    reader = OutputReader(live.output, wanted, owner=owner)
    transcript = Transcript(call.host.outputs.folder(stored.id), wanted, reader)
    async with NdjsonStream(call.request) as stream:
        await _copy(transcript, stream, live.output if follow else None)
        if follow:
            await stream.until(run.finished.wait())
        await stream.send(codec.encode_line(ExitLine(execution=run.execution, run=run.current())))
    if owner:
        _let_go(call, run, lost=stream.lost)
    return stream.response


def _let_go(call: Call, run: LiveRun, *, lost: bool) -> None:
    """The client that a foreground run counted on is done, or gone: then its command is, too."""
    live = run.started()
    live.output.release()
    if lost and not run.finished.is_set():
        call.host.tasks.start(live.end(CANCELED), f"cancel {run.execution.id}")


async def _past(call: Call, stored: Execution) -> web.StreamResponse:
    wanted = await _beginning(call, stored, None)
    transcript = Transcript(call.host.outputs.folder(stored.id), wanted, None)
    last = await call.host.store.run(stored.run_id)
    async with NdjsonStream(call.request) as stream:
        await _copy(transcript, stream, None)
        for number, total in ((1, stored.stdout_bytes), (2, stored.stderr_bytes)):
            if wanted.offsets[number] < (total or 0):  # the disk has nothing of it any more
                end = Chunk(number, total or 0, b"")
                await _send(stream, OutputLines(), wanted.missing(end))
        await stream.send(codec.encode_line(ExitLine(execution=stored, run=last)))
    return stream.response


async def _copy(transcript: Transcript, stream: NdjsonStream, log: OutputLog | None) -> None:
    """Send all there is; with a log, go on until it has ended."""
    lines = OutputLines()
    while True:
        piece = await transcript.take()
        if piece is not None:
            await _send(stream, lines, piece)
        elif log is not None and not log.ended:
            await stream.until(log.changed())
        else:
            break
    for line in lines.rest():
        await stream.send(codec.encode_line(line))


async def _send(stream: NdjsonStream, lines: OutputLines, piece: Chunk | Gap | None) -> None:
    for line in lines.feed(piece) if piece is not None else ():
        await stream.send(codec.encode_line(line))


async def _beginning(call: Call, stored: Execution, log: OutputLog | None) -> Wanted:
    tail = call.number("tail", 0, MOST_LINES) if "tail" in call.request.query else None
    since = _since(call)
    folder = call.host.outputs.folder(stored.id)
    try:
        wanted = await begin_at(folder, log, tail, since)
    except OSError as error:
        message = f"cannot read the output: {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    for number, name in ((1, "stdout_from"), (2, "stderr_from")):
        offset = call.number(name, 0, 2**53)
        wanted.offsets[number] = max(wanted.offsets[number], offset)
    return wanted


def _since(call: Call) -> float | None:
    """Return the POSIX time of `since`: an RFC 3339 time, or seconds ago ("90s")."""
    said = call.request.query.get("since")
    if said is None:
        return None
    ago = AGO.fullmatch(said)
    if ago is not None:
        return call.host.clock.now().timestamp() - float(ago[1])
    try:
        when = datetime.fromisoformat(said)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        message = "cannot read the query parameter 'since'"
        raise UserError(Code.REQUEST_INVALID, message, "write 2026-01-31T12:00:00Z, or 90s")
    return when.timestamp()
