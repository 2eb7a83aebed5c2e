"""Bytes <-> frames of the guest agent's protocol; agent/protocol.h is the other half.

In: bytes of the agent, hostile. Out: frozen frames, or FrameError. Never: a frame longer than
MAX_DATA_BYTES and its stream byte is accepted, nor more than one unfinished frame kept.

A frame is: u32 payload length, u8 type, u32 execution id, payload; integers are big-endian.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final, assert_never

from cleanroom.errors import Code, Fault, UserError

PROTOCOL_VERSION: Final = 1
MAX_DATA_BYTES: Final = 64 * 1024
MAX_START_BYTES: Final = 1024 * 1024
MAX_STRINGS: Final = 65536

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2

STAGE_FULL: Final = 0  # no slot or no descriptors
STAGE_TTY: Final = 1
STAGE_FORK: Final = 2
STAGE_CHDIR: Final = 3
STAGE_EXEC: Final = 4

_HEADER: Final = Struct(">IBI")
_START: Final = Struct(">BHHII")
_U32: Final = Struct(">I")
_SIZE: Final = Struct(">HH")
_PAIR: Final = Struct(">BI")


class FrameError(Fault):
    """The agent sent what no agent of ours sends: the sandbox can no longer be believed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            Code.BACKEND_TRANSPORT_ERROR,
            f"cannot understand the sandbox's agent: {what}",
            "its sandbox is ended; run the command again",
        )


# --- daemon -> agent ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Execute `argv` with exactly this environment ("KEY=value" each) in `cwd`."""

    execution: int
    argv: tuple[str, ...]
    environment: tuple[str, ...]
    cwd: str
    tty: bool = False
    rows: int = 24
    columns: int = 80


@dataclass(frozen=True, slots=True)
class Stdin:
    """Bytes for standard input, within the agent's credit."""

    execution: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StdinClose:
    """Standard input ends."""

    execution: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal for the process group."""

    execution: int
    number: int


@dataclass(frozen=True, slots=True)
class Resize:
    """The terminal's new size."""

    execution: int
    rows: int
    columns: int


# --- both ways ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credit:
    """So many more bytes may be sent of `stream`: 1 and 2 to the agent, 0 from it."""

    execution: int
    stream: int
    count: int


# --- agent -> daemon ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame."""

    version: int


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of `stream`: 1 stdout or the terminal, 2 stderr."""

    execution: int
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """How it ended; its last frame. Exactly one of `code` and `signal` is set."""

    execution: int
    code: int | None
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was executed: the stage that failed and its errno; the last frame too."""

    execution: int
    stage: int
    errno: int


DaemonFrame = Start | Stdin | StdinClose | Signal | Resize | Credit
AgentFrame = Hello | Credit | Output | Exited | Failed


def encode(frame: DaemonFrame) -> bytes:
    """The frame's bytes. Raises UserError(request_invalid) for a Start that cannot be passed."""
    kind, payload = _typed_payload(frame)
    return _HEADER.pack(len(payload), kind, frame.execution) + payload


def _typed_payload(frame: DaemonFrame) -> tuple[int, bytes]:
    match frame:
        case Start():
            return 1, _start_payload(frame)
        case Stdin(data=data):
            return 2, data
        case StdinClose():
            return 3, b""
        case Signal(number=number):
            return 4, _U32.pack(number)
        case Resize(rows=rows, columns=columns):
            return 5, _SIZE.pack(rows, columns)
        case Credit(stream=stream, count=count):
            return 6, _PAIR.pack(stream, count)
        case _:
            assert_never(frame)


def _start_payload(start: Start) -> bytes:
    strings = (start.cwd, *start.argv, *start.environment)
    if not start.argv or any("\0" in text for text in strings):
        message = "cannot start a command without words, or with a NUL in one"
        raise UserError(Code.REQUEST_INVALID, message)
    head = _START.pack(
        start.tty, start.rows, start.columns, len(start.argv), len(start.environment)
    )
    body = "\0".join(strings).encode("utf-8", "surrogateescape") + b"\0"
    if len(head) + len(body) > MAX_START_BYTES or len(strings) > MAX_STRINGS:
        message = "cannot start a command: its words and environment are longer than 1 MiB"
        raise UserError(Code.REQUEST_INVALID, message, "pass long lists by file or standard input")
    return head + body


# --- hostile input -----------------------------------------------------------------------------


def _hello(execution: int, payload: bytes) -> Hello:
    (version,) = _U32.unpack(payload)
    _believe(execution == 0, "a greeting with an execution")
    return Hello(version)


def _credit(execution: int, payload: bytes) -> Credit:
    stream, count = _PAIR.unpack(payload)
    _believe(stream == STDIN, "credit for a stream it does not read")
    return Credit(execution, stream, count)


def _output(execution: int, payload: bytes) -> Output:
    _believe(payload[0] in (STDOUT, STDERR), "output of an unknown stream")
    return Output(execution, payload[0], payload[1:])


def _exited(execution: int, payload: bytes) -> Exited:
    kind, value = _PAIR.unpack(payload)
    if kind == 0:
        _believe(value <= 255, "an impossible exit code")
        return Exited(execution, value)
    _believe(kind == 1 and 1 <= value <= 64, "an impossible end")
    return Exited(execution, None, value)


def _failed(execution: int, payload: bytes) -> Failed:
    stage, errno = _PAIR.unpack(payload)
    _believe(stage <= STAGE_EXEC and 1 <= errno <= 4095, "an impossible failure")
    return Failed(execution, stage, errno)


def _believe(plausible: bool, what: str) -> None:  # noqa: FBT001 -- it is the question itself
    if not plausible:
        raise FrameError(what)


# type -> (shortest and longest payload, parser)
_KINDS: Final[dict[int, tuple[int, int, Callable[[int, bytes], AgentFrame]]]] = {
    16: (4, 4, _hello),
    17: (2, MAX_DATA_BYTES + 1, _output),
    6: (5, 5, _credit),
    18: (5, 5, _exited),
    19: (5, 5, _failed),
}


class FrameReader:
    """Cuts the agent's bytes into frames, wherever reads happened to end."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[AgentFrame]:
        """The frames completed by `data`. Raises FrameError, and then is not to be fed again."""
        buffer = self._pending + data if self._pending else data
        frames: list[AgentFrame] = []
        at, end = 0, len(buffer)
        while end - at >= _HEADER.size:
            length, kind, execution = _HEADER.unpack_from(buffer, at)
            known = _KINDS.get(kind)
            if known is None or not known[0] <= length <= known[1]:
                what = f"a frame of type {kind} with {length} bytes"
                raise FrameError(what)
            at += _HEADER.size
            if end - at < length:
                at -= _HEADER.size
                break
            frames.append(known[2](execution, buffer[at : at + length]))
            at += length
        self._pending = buffer[at:]
        return frames
