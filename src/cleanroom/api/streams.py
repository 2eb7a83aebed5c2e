"""Lines of streams and messages of attach: `type` comes first, the last line is terminal.

In: JSON, unknown fields refused. Out: frozen Structs. A stream whose last line is neither `exit`
nor `error` was cut: a transport failure, never success. Attach: a binary message of the server is
one byte (1 standard output or the terminal, 2 standard error) and the bytes; of the client, bytes
of standard input. Never: output that is not UTF-8 as text.
"""

import msgspec
from msgspec import field

from cleanroom.api.message import Cells, Message, Offset, SignalName
from cleanroom.api.types import Denial, Execution, Problem, Run, Sandbox


class OutputLine(Message, frozen=True, tag="output"):
    """Bytes of a workload from `offset` of its stream: `text` if they are UTF-8, else `base64`."""

    stream: int  # 1 standard output or the terminal, 2 standard error
    offset: int
    text: str | None = None
    base64: str | None = None
    time: str | None = None  # when the daemon received the first of them


class GapLine(Message, frozen=True, tag="gap"):
    """`missing` bytes from `offset` on were produced, and are no longer kept."""

    stream: int
    offset: int
    missing: int


class EventLine(Message, frozen=True, tag="event"):
    """Something happened to the sandbox or an execution in it."""

    time: str
    sequence: int
    kind: str
    detail: dict[str, str] = field(default_factory=dict)


class NetworkLine(Message, frozen=True, tag="network"):
    """One verdict of the gateway, or the end of a connection."""

    time: str
    sequence: int
    phase: str
    allowed: bool
    protocol: str
    name: str
    address: str
    port: int
    code: str = ""
    reason: str = ""
    rule: str = ""
    rule_line: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    repeated: int = 0
    artifact: str = ""  # of a registry, e.g. "left-pad 1.3.0"
    strength: str = ""  # "lockfile", "first-seen", "exception" or "unlocked"
    pin: str = ""  # where it is pinned, e.g. "package-lock.json:12"
    cache: str = ""  # "hit", "miss", "stale" or "direct"
    digest: str = ""  # "sha256:<hex>" of what was served


class RecordLine(Message, frozen=True, tag="record"):
    """One line of the audit log as it stands in the file."""

    record: msgspec.Raw


class DeniedLine(Denial, frozen=True, tag="denied"):
    """The first refusal of this name, port and code in the run."""


class SyncLine(Message, frozen=True, tag="sync"):
    """An edit of the host: "written" or "removed" inside, or a "conflict" and why."""

    path: str
    what: str
    reason: str = ""


class NoteLine(Message, frozen=True, tag="note"):
    """A sentence for the person."""

    text: str


class PositionLine(Message, frozen=True, tag="position"):
    """Attach only, to a client that comes later: what follows begins at `stdout_from` and
    `stderr_from`; what is below `stdout` and `stderr` was written before it came.
    """

    stdout: int
    stderr: int
    stdout_from: int
    stderr_from: int


class StdinLine(Message, frozen=True, tag="stdin"):
    """Attach only: the command has been given `taken` bytes of standard input in all.

    A client that keeps less than a MiB untaken can always be heard: `cancel` never waits behind
    input that nobody reads.
    """

    taken: int


class ExitLine(Message, frozen=True, tag="exit"):
    """The end of a stream, reached on purpose. What ended is set, if something did."""

    run: Run | None = None
    execution: Execution | None = None
    sandbox: Sandbox | None = None
    lines: int | None = None


class ErrorLine(Message, frozen=True, tag="error"):
    """The end of a stream that failed."""

    problem: Problem


StreamLine = (
    OutputLine
    | GapLine
    | EventLine
    | NetworkLine
    | RecordLine
    | DeniedLine
    | NoteLine
    | SyncLine
    | PositionLine
    | StdinLine
    | ExitLine
    | ErrorLine
)


class EofMessage(Message, frozen=True, tag="eof"):
    """Standard input has ended."""


class SignalMessage(Message, frozen=True, tag="signal"):
    """Send this signal to the workload."""

    signal: SignalName


class ResizeMessage(Message, frozen=True, tag="resize"):
    """The terminal has a new size."""

    rows: Cells
    columns: Cells


class DetachMessage(Message, frozen=True, tag="detach"):
    """The client leaves on purpose; the execution goes on.

    It has shown each stream up to here: who attaches with `from=left` goes on there.
    """

    stdout: Offset = 0
    stderr: Offset = 0


class CancelMessage(Message, frozen=True, tag="cancel"):
    """Cancel the execution; the exit message follows."""


AttachMessage = EofMessage | SignalMessage | ResizeMessage | DetachMessage | CancelMessage
