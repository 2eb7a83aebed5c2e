"""Files of a living sandbox: listed, streamed out and in as tar, by programs inside.

In: paths, relative ones below the workspace. Out: a FileList; over a WebSocket the bytes of a tar
archive, then `exit` or `error`. Never: a path of the host opened, or an archive judged here: what
comes out is hostile, and whoever unpacks it says what it may be (client/unpack.py).
"""

import asyncio
import posixpath
import re
import signal
from typing import Final

from aiohttp import WSMsgType, web

from cleanroom.api import codec
from cleanroom.api.file_types import FileEntry, FileList
from cleanroom.api.problem import problem_of
from cleanroom.api.streams import EofMessage, ErrorLine, ExitLine, StreamLine
from cleanroom.backends.base import Process
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.handlers.attach import MAX_MESSAGE
from cleanroom.daemon.handlers.sandboxes import find
from cleanroom.daemon.inside import answer_of, helper, said
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.daemon.tasks import Tasks
from cleanroom.errors import CleanroomError, Code, Fault, UserError
from cleanroom.sandbox.host import WORKSPACE

MOST_BYTES: Final = 8 * 1024 * 1024  # of a listing
LIST_S: Final = 30.0
LONGEST_PATH: Final = 4096
_KINDS: Final = {"f": "file", "d": "folder", "l": "link"}
_FIELDS: Final = 7  # of one name: depth, kind, mode, size, time, name, target
_FORMAT: Final = r"%d\0%y\0%m\0%s\0%T@\0%P\0%l\0"
_MODE: Final = re.compile(r"[0-7]{1,5}", re.ASCII)
_SIZE: Final = re.compile(r"\d{1,18}", re.ASCII)
_TIME: Final = re.compile(r"-?\d{1,15}(\.\d{1,12})?", re.ASCII)
_CHANGED: Final = 1  # tar's status where a file changed while it was read


async def show_list(call: Call) -> web.StreamResponse:
    """Say what a path is, and what a folder holds."""
    sandbox = await _living(call)
    path = _path(call)
    argv = ("find", "-H", path, "-maxdepth", "1", "-printf", _FORMAT)
    try:
        async with asyncio.timeout(LIST_S), helper(call.host, sandbox, *argv) as process:
            out, err, status = await answer_of(process, MOST_BYTES)
    except TimeoutError:
        message = "cannot list the files: it takes too long"
        raise Fault(Code.TIMED_OUT, message) from None
    if status is not None and status > 1:
        what = "list the files"
        raise _failed(what, err, status, "find")
    return answer(listing(path, out, truncated=status is None))


def listing(path: str, out: bytes, *, truncated: bool) -> FileList:
    """Return what find said; whatever is not in its form ends the list."""
    # A name is shown, not used: what is not UTF-8 in it must not break the answer.
    words = out.decode("utf-8", "backslashreplace").split("\0")
    rows = [words[at : at + _FIELDS] for at in range(0, len(words) - _FIELDS, _FIELDS)]
    kind, entries = "missing", []
    for depth, letter, mode, size, modified, name, target in rows:
        if not (_MODE.fullmatch(mode) and _SIZE.fullmatch(size) and _TIME.fullmatch(modified)):
            break
        found = _KINDS.get(letter, "other")
        if depth == "0":
            kind = found
            continue
        entry = FileEntry(
            name=name,
            kind=found,
            mode=int(mode, 8),
            size=int(size),
            modified=float(modified),
            target=target,
        )
        entries.append(entry)
    entries.sort(key=lambda each: each.name)
    return FileList(path=path, kind=kind, entries=entries, truncated=truncated)


async def read(call: Call) -> web.StreamResponse:
    """Stream a folder (its inside, as `.`) or a file as tar."""
    sandbox = await _living(call)
    path = _path(call)
    folder = call.flag("folder")
    at, name = (path, ".") if folder else posixpath.split(path)
    # A second name of a file is packed as a file; of a link that was named, what it leads to.
    packed = ("tar", "--create", "--file=-", "--format=posix", "--hard-dereference")
    follow = () if folder else ("--dereference",)
    argv = (*packed, *follow, f"--directory={at}", "--", f"./{name}")
    call.host.journal.lifecycle(sandbox, "files.read", [("path", path)])
    socket = await _socket(call)
    own = Tasks()
    try:
        async with helper(call.host, sandbox, *argv) as process:
            await process.close_stdin()
            own.start(_leave_with(socket, process), "helper's client")
            last = await _send(socket, process)
    except CleanroomError as error:
        last = ErrorLine(problem=problem_of(error))
    except ConnectionError:
        return socket
    finally:
        await own.close()
    return await _end(socket, last)


async def _send(socket: web.WebSocketResponse, process: Process) -> StreamLine:
    """Send all it writes; return the last word. Raises ConnectionError for a client that left."""
    kept = b""
    async for piece in process.output():
        if piece.stream == 1:
            await socket.send_bytes(piece.data)
        else:
            kept = (kept + piece.data)[-LONGEST_PATH:]
    status = (await process.wait()).status
    if status > _CHANGED:
        return ErrorLine(problem=problem_of(_failed("read the files", kept, status, "tar")))
    return ExitLine()


async def write(call: Call) -> web.StreamResponse:
    """Unpack the tar archive that the client sends, in a folder that exists."""
    sandbox = await _living(call)
    path = _path(call)
    argv = ("tar", "--extract", "--file=-", "--no-same-owner", f"--directory={path}")
    call.host.journal.lifecycle(sandbox, "files.written", [("path", path)])
    socket = await _socket(call)
    try:
        async with helper(call.host, sandbox, *argv) as process:
            last = await _receive(socket, process)
    except CleanroomError as error:
        last = ErrorLine(problem=problem_of(error))
    except ConnectionError:
        return socket
    return await _end(socket, last)


async def _receive(socket: web.WebSocketResponse, process: Process) -> StreamLine:
    """Give it all that the client sends; return the last word."""
    told: list[tuple[bytes, bytes, int | None]] = []

    async def listen() -> None:
        told.append(await answer_of(process, MOST_BYTES))

    own = Tasks()
    listening = own.start(listen(), "helper's output")  # unread, it would stop and read no more
    try:
        await _feed(socket, process)
        await listening
    finally:
        await own.close()
    _, err, status = told[0]
    if status:
        return ErrorLine(problem=problem_of(_failed("write the files", err, status, "tar")))
    return ExitLine()


async def _feed(socket: web.WebSocketResponse, process: Process) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await process.write_stdin(message.data)
        elif message.type is WSMsgType.TEXT:
            if not isinstance(codec.decode_attach(message.data.encode()), EofMessage):
                what = "cannot take this message: an archive has bytes and its end"
                raise UserError(Code.REQUEST_INVALID, what)
            await process.close_stdin()
            return
    raise ConnectionResetError


async def _leave_with(socket: web.WebSocketResponse, process: Process) -> None:
    """Kill it when the client is gone, also while it writes nothing."""
    async for _ in socket:
        pass  # there is nothing to say to it
    await process.signal(signal.SIGKILL)


async def _living(call: Call) -> LiveSandbox:
    live = call.live_sandbox()
    if live is None:
        stored = await find(call)
        message = f"cannot reach into the sandbox: it is {stored.state}"
        hint = f"what it changed: cleanroom diff {stored.id}"
        raise UserError(Code.CONFLICT, message, hint)
    return live


def _path(call: Call) -> str:
    said_path = call.request.query.get("path", ".")
    path = posixpath.normpath(posixpath.join(WORKSPACE, said_path))
    if "\0" in path or len(path) > LONGEST_PATH or _is_cut(path):
        message = "cannot use this path: it is too long, has a NUL, or is not UTF-8"
        raise UserError(Code.REQUEST_INVALID, message, "name another path")
    return path


def _is_cut(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


async def _socket(call: Call) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False, timeout=1.0)
    await socket.prepare(call.request)
    return socket


async def _end(socket: web.WebSocketResponse, last: StreamLine) -> web.WebSocketResponse:
    if not socket.closed:
        await socket.send_str(codec.encode_line(last).decode())
        await socket.close()
    return socket


def _failed(what: str, err: bytes, status: int, program: str) -> Fault:
    if status == 127:
        message = f"cannot {what}: the sandbox has no {program}"
        return Fault(Code.BACKEND_UNAVAILABLE, message)
    return Fault(Code.RUNTIME_LAUNCH_FAILED, f"cannot {what}: {said(err) or f'status {status}'}")
