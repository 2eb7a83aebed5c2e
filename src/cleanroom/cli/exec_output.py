"""What `exec` shows: the workload's bytes untouched, or NDJSON; news and the summary on stderr.

In: output and messages of the run. Out: bytes on 1 and 2, lines on stderr. Never: a byte of
cleanroom's on stdout beside the workload's, one denied host said twice, or a sequence that does
more than draw on a terminal (client/escapes.py), unless it was asked for.
"""

import binascii
import errno
import os
import select
import signal
from typing import TYPE_CHECKING, Final, Protocol

from cleanroom.cli.render import Screen
from cleanroom.client.reply import Reply
from cleanroom.errors import Code

if TYPE_CHECKING:
    from cleanroom.client.escapes import EscapeFilter

# Codes of a network that was not there, not what it should be, or not asked.
NOT_THE_POLICY: Final = frozenset(
    (
        Code.UPSTREAM_UNREACHABLE,
        Code.UPSTREAM_CERTIFICATE_INVALID,
        Code.OFFLINE_MISS,
        Code.GATEWAY_LOST,
        Code.RESOURCE_LIMIT,
        Code.HANDSHAKE_FAILED,
    )
)
LIFTED: Final = frozenset((Code.HOST_NOT_ALLOWED, Code.PORT_NOT_ALLOWED))  # by a rule
DENIED: Final = "denied"
UNFINISHED: Final = "unfinished"  # by its client
LONGEST_UTF8: Final = 4
MOST_PACKAGES: Final = 8  # that the summary names


class Report(Protocol):
    """A sink of the attachment (client/attach.py) that also sees the start and the end."""

    def started(self, run: Reply) -> None:
        """The run exists; its command may already run."""
        ...

    def output(self, stream: int, data: bytes) -> None:
        """Take bytes of the workload."""
        ...

    def news(self, message: Reply) -> None:
        """Take a `denied` or `note` message."""
        ...

    def canceling(self, number: int) -> None:
        """The first signal was seen, and the command is being canceled."""
        ...

    def left(self, way_back: str) -> None:
        """The person left a command that goes on, and the terminal is theirs again."""
        ...

    def ended(self, run: Reply, status: int) -> None:
        """The run has ended; `status` is what the command line will exit with."""
        ...


def filter_of(stream: int, screen: Screen) -> "EscapeFilter | None":
    """Return the filter of a standard stream that is a terminal; None for pipes and files."""
    if not os.isatty(stream):
        return None
    from cleanroom.client.escapes import EscapeFilter  # noqa: PLC0415 -- pipes do not pay for it

    return EscapeFilter(everything=screen.escapes)


class PlainReport:
    """For people: everything of cleanroom's goes to stderr."""

    def __init__(self, screen: Screen, *, verbose: bool) -> None:
        self._screen = screen
        self._verbose = verbose
        self._said: set[str] = set()
        self._filters = {stream: filter_of(stream, screen) for stream in (1, 2)}

    def started(self, run: Reply) -> None:
        """Say the notes, and the ids if asked."""
        if self._verbose:
            self._screen.say(
                f"cleanroom: run {run.text('id')} in sandbox {run.text('sandbox_id')}"
                f" ({run.text('backend')}), policy {run.text('policy_hash')}"
            )
        self._notes(run)

    def output(self, stream: int, data: bytes) -> None:
        """Write the bytes as they are. Raises BrokenPipeError if nobody reads them any more."""
        on_terminal = self._filters[stream]
        write_all(stream, on_terminal.feed(data) if on_terminal else data)

    def news(self, message: Reply) -> None:
        """Say the first refusal of each host and package, each note once, and what is missing."""
        if message.text("type") == "denied":
            if self._first(f"denied {what_was_denied(message)}"):
                self._screen.warn(
                    f"cleanroom: {outcome_of(message)} {target_text(message)}:"
                    f" {message.text('reason')} ({message.text('code')})"
                )
        elif message.text("type") == "note":
            self._note(message.text("text"))
        elif message.text("type") == "gap":
            self._screen.warn(gap_text(message))

    def canceling(self, number: int) -> None:
        """Say what a second Ctrl-C does."""
        if number == signal.SIGINT:
            self._screen.say("cleanroom: canceling; Ctrl-C again leaves it to end by itself")

    def left(self, way_back: str) -> None:
        """Say how to come back."""
        self._screen.say(way_back)

    def ended(self, run: Reply, status: int) -> None:
        """Say what was denied and changed, each with the next command."""
        for stream, on_terminal in self._filters.items():
            if on_terminal:
                write_all(stream, on_terminal.end() + on_terminal.modes.undo())
        self._notes(run)
        denied = run.items("denied")
        if denied:
            self._screen.warn(denied_summary(denied))
            self._screen.say(f"  {after_denials(denied)}")
        changed = run.maybe_number("changed_files")
        if changed:
            self._screen.say(f"cleanroom: {counted(changed, 'file')} changed: cleanroom diff")
        if self._verbose:
            times = run.table("timings").items()
            said = ", ".join(f"{name} {value}" for name, value in times if value is not None)
            self._screen.say(f"cleanroom: timings {said}")

    def _notes(self, run: Reply) -> None:
        for note in run.texts("notes"):
            self._note(note)

    def _note(self, note: str) -> None:
        if self._first(f"note {note}"):
            self._screen.say(f"cleanroom: {note}")

    def _first(self, key: str) -> bool:
        new = key not in self._said
        self._said.add(key)
        return new


class JsonReport:
    """For programs: one JSON object a line on stdout, the last one of type `exit`."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._tails = {1: b"", 2: b""}

    def started(self, run: Reply) -> None:
        """Write the ids."""
        self._screen.json(
            {
                "type": "start",
                "run_id": run.text("id"),
                "sandbox_id": run.text("sandbox_id"),
                "execution_id": run.text("execution_id"),
                "policy_hash": run.text("policy_hash"),
                "notes": run.texts("notes"),
            }
        )

    def output(self, stream: int, data: bytes) -> None:
        """Write text, or base64 where the bytes are not UTF-8; a cut character waits."""
        data = self._tails[stream] + data
        end = whole_characters(data)
        self._tails[stream] = data[end:]
        if end:
            self._write(stream, data[:end])

    def news(self, message: Reply) -> None:
        """Pass on what the daemon said."""
        self._screen.json(message.fields)

    def canceling(self, number: int) -> None:
        """Programs do not press Ctrl-C twice."""

    def left(self, way_back: str) -> None:
        """Say how to come back: on stderr, for a person who looks on."""
        self._screen.say(way_back)

    def ended(self, run: Reply, status: int) -> None:
        """Write the end."""
        for stream, tail in self._tails.items():
            if tail:
                self._write(stream, tail)
        self._screen.json({"type": "exit", **result_fields(run, status)})

    def _write(self, stream: int, data: bytes) -> None:
        kind = "stdout" if stream == 1 else "stderr"
        try:
            content = {"text": data.decode()}
        except UnicodeDecodeError:
            content = {"base64": binascii.b2a_base64(data, newline=False).decode()}
        self._screen.json({"type": kind, **content})


def result_fields(run: Reply, status: int) -> dict[str, object]:
    """Return what `--result-file` and the last line of `--json` hold."""
    return {
        "run_id": run.text("id", "") or None,
        "sandbox_id": run.text("sandbox_id", "") or None,
        "exit_code": status,
        "failure": run.item("failure").fields if "failure" in run else None,
        "denied": [denial.fields for denial in run.items("denied")],
        "changed_files": run.maybe_number("changed_files"),
        "timings": run.table("timings"),
        "notes": run.texts("notes"),
    }


def denied_summary(denied: list[Reply]) -> str:
    """Return e.g. "cleanroom: 3 connections denied (2 hosts), 1 package denied (ms 2.1.3)"."""
    others = [denial for denial in denied if not denial.text("artifact", "")]
    pushed = [denial.text("code", "") == "push_not_allowed" for denial in denied]
    named = [denial.text("artifact", "") for denial in denied]
    said = []
    for outcome, noun in ((DENIED, "connection"), (UNFINISHED, "TLS handshake")):
        alike = [denial for denial in others if outcome_of(denial) == outcome]
        if alike:
            count = sum(denial.maybe_number("count") or 1 for denial in alike)
            hosts = {denial.text("name") or denial.text("address") for denial in alike}
            said.append(f"{counted(count, noun)} {outcome} ({counted(len(hosts), 'host')})")
    for is_push, noun in ((False, "package"), (True, "push")):
        which = zip(named, pushed, strict=True)
        names = dict.fromkeys(name for name, is_one in which if name and is_one is is_push)
        if names:
            some = ", ".join(list(names)[:MOST_PACKAGES])
            rest = f" and {len(names) - MOST_PACKAGES} more" if len(names) > MOST_PACKAGES else ""
            said.append(f"{counted(len(names), noun)} denied ({some}{rest})")
    return f"cleanroom: {', '.join(said)}"


def outcome_of(denial: Reply) -> str:
    """Return what became of a connection that did not pass."""
    return UNFINISHED if denial.text("code", "") == Code.HANDSHAKE_FAILED else DENIED


def after_denials(denied: list[Reply]) -> str:
    """Return what a person, or an agent that reads along, should do now."""
    codes = [denial.text("code", "") for denial in denied]
    # A client that gives up lets go of handshakes too; what it was refused first says more.
    codes = [code for code in codes if code != Code.HANDSHAKE_FAILED] or codes
    if set(codes) == {Code.OFFLINE_MISS}:
        return "it was never fetched here; all that is pinned, at once: cleanroom cache warm"
    if set(codes) <= NOT_THE_POLICY:
        return f"the policy would have allowed that; next: cleanroom explain {codes[0]}"
    no = "the policy says no, and looking for a way round is no use; next: cleanroom"
    if LIFTED.intersection(codes):
        return f"{no} policy suggest"
    if Code.LOCKFILE_VIOLATION in codes:
        return "the lock files say no; how to pin a package: cleanroom policy suggest"
    if Code.COOLDOWN_ACTIVE in codes:
        return "the cooldown says no; what an exception looks like: cleanroom policy suggest"
    return f"{no} explain {next(code for code in codes if code not in NOT_THE_POLICY)}"


def what_was_denied(message: Reply) -> str:
    """Return what is said once: a package, else a host."""
    host = message.text("name", "") or message.text("address", "")
    return f"{host} {message.text('artifact', '')}".strip()


def gap_text(message: Reply) -> str:
    """Return what is said where output is no longer kept."""
    return f"cleanroom: {message.number('missing')} bytes are no longer kept"


def target_text(message: Reply) -> str:
    """Return HOST:PORT, or just the name that was looked up: nobody asked for port 53."""
    host = message.text("name", "") or message.text("address", "")
    looked_up = message.text("protocol", "") == "dns"
    return host if looked_up else f"{host}:{message.maybe_number('port') or 0}"


def counted(count: int, noun: str) -> str:
    """Return "1 file", "2 files", "2 pushes"."""
    many = "es" if noun.endswith("sh") else "s"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{many}"


def whole_characters(data: bytes) -> int:
    """Return the length of `data` without a UTF-8 character whose end has not come yet."""
    for back in range(1, min(LONGEST_UTF8, len(data)) + 1):
        byte = data[-back]
        if not 0x80 <= byte < 0xC0:  # the first byte of a character, or none of any
            needed = (
                1 if not 0xC2 <= byte <= 0xF4 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            )
            return len(data) - back if needed > back else len(data)
    return len(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, waiting where the other end made the descriptor non-blocking.

    Raises BrokenPipeError if nobody reads it any more, also for a terminal that hung up (EIO).
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise BrokenPipeError(errno.EPIPE, "the terminal is gone") from None
