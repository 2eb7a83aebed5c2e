"""One command as the daemon sees it: frames of the agent in, bytes for it and results out.

In: frames, hostile. Out: what to send, output in order, and one end. Never: more held than the
window per stream, whatever the agent sends, nor an end that is followed by anything.

Credit: the agent may send WINDOW_BYTES of each stream; more is granted as output is taken. The
agent grants credit for standard input in the same way.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, assert_never

from cleanroom.agent.frames import (
    MAX_DATA_BYTES,
    STDERR,
    STDOUT,
    AgentFrame,
    Credit,
    Exited,
    Failed,
    FrameError,
    Hello,
    Output,
    Start,
    Stdin,
    encode,
)

WINDOW_BYTES: Final = 1024 * 1024
# The agent's own window is 64 KiB; a count far above it is a lie that would cost memory.
MAX_ROOM_BYTES: Final = 1024 * 1024
# Chunks that may wait, each its own object: beyond it they are joined, and only the order
# between the two streams blurs. A million one-byte writes must not cost a million objects.
MAX_CHUNKS: Final = 1024


@dataclass(slots=True)
class _Chunk:
    stream: int
    data: bytes | bytearray


class Backlog:
    """Output that was received and not taken yet, in order, in few objects."""

    def __init__(self) -> None:
        self._chunks: deque[_Chunk] = deque()
        self._last: dict[int, _Chunk] = {}

    def add(self, stream: int, data: bytes) -> None:
        """Append; small neighbours of one stream become one chunk."""
        last = self._last.get(stream)
        neighbour = bool(self._chunks) and self._chunks[-1] is last
        crowded = len(self._chunks) >= MAX_CHUNKS
        if last is not None and (crowded or (neighbour and len(last.data) < MAX_DATA_BYTES // 2)):
            if not isinstance(last.data, bytearray):
                last.data = bytearray(last.data)
            last.data += data
            return
        chunk = _Chunk(stream, data)
        self._chunks.append(chunk)
        self._last[stream] = chunk

    def take(self) -> tuple[int, bytes] | None:
        """The oldest chunk; None if there is nothing."""
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        if self._last.get(chunk.stream) is chunk:
            del self._last[chunk.stream]
        return chunk.stream, bytes(chunk.data)


@dataclass(slots=True)
class Conversation:
    """The state of one command. `end` is set once, by its last frame."""

    execution: int
    end: Exited | Failed | None = None
    room: int = 0  # bytes of standard input the agent will take now
    backlog: Backlog = field(default_factory=Backlog)
    _granted: dict[int, int] = field(default_factory=dict)  # stream -> bytes it may still send
    _taken: dict[int, int] = field(default_factory=dict)  # stream -> bytes taken, not granted anew

    def begin(self, start: Start) -> bytes:
        """What starts the command: its START, and the first credit of each stream."""
        streams = (STDOUT,) if start.tty else (STDOUT, STDERR)
        self._granted = dict.fromkeys(streams, WINDOW_BYTES)
        self._taken = dict.fromkeys(streams, 0)
        credit = [encode(Credit(self.execution, stream, WINDOW_BYTES)) for stream in streams]
        return encode(start) + b"".join(credit)

    def receive(self, frame: AgentFrame) -> None:
        """Take one frame of this execution. Raises FrameError if it breaks a promise."""
        if self.end is not None:
            what = "a frame after the end of its execution"
            raise FrameError(what)
        match frame:
            case Output(stream=stream, data=data):
                self._receive_output(stream, data)
            case Credit(count=count):
                self._receive_credit(count)
            case Exited() | Failed():
                self.end = frame
            case Hello():
                what = "a second greeting"
                raise FrameError(what)
            case _:
                assert_never(frame)

    def _receive_output(self, stream: int, data: bytes) -> None:
        granted = self._granted.get(stream, 0) - len(data)
        if granted < 0:
            what = "more output than it had credit for"
            raise FrameError(what)
        self._granted[stream] = granted
        self.backlog.add(stream, data)

    def _receive_credit(self, count: int) -> None:
        self.room += count
        if self.room > MAX_ROOM_BYTES:
            what = "credit that no window can hold"
            raise FrameError(what)

    def take(self) -> tuple[int, bytes, bytes] | None:
        """The next output: stream, bytes, and what to send the agent now (mostly nothing)."""
        oldest = self.backlog.take()
        if oldest is None:
            return None
        stream, data = oldest
        taken = self._taken[stream] + len(data)
        grant = b""
        if taken >= WINDOW_BYTES // 4 and self.end is None:
            self._granted[stream] += taken
            grant = encode(Credit(self.execution, stream, taken))
            taken = 0
        self._taken[stream] = taken
        return stream, data, grant

    def write(self, data: memoryview) -> tuple[bytes, int]:
        """As much of `data` as there is room for: the frame to send, and how many bytes it took."""
        count = min(len(data), self.room, MAX_DATA_BYTES)
        self.room -= count
        return encode(Stdin(self.execution, bytes(data[:count]))), count
