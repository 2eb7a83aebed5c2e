"""What `executions logs` shows: each stream where it was, with times if asked.

In: lines of an output stream. Out: the workload's bytes on 1 and 2, gaps on stderr. Never: a gap
that is not said, a byte of the workload changed in a pipe or a file, or a sequence that does more
than draw on a terminal (client/escapes.py).
"""

import binascii

from cleanroom.cli.exec_output import filter_of, gap_text, write_all
from cleanroom.cli.render import Screen
from cleanroom.client.reply import Reply


class LogOutput:
    """One call of `logs`."""

    def __init__(self, screen: Screen, *, timestamps: bool) -> None:
        self._screen = screen
        self._timestamps = timestamps
        self._line_begins = {1: True, 2: True}
        self._filters = {stream: filter_of(stream, screen) for stream in (1, 2)}

    def line(self, line: Reply) -> None:
        """Show one line of the stream."""
        kind = line.text("type")
        if kind == "output":
            encoded = line.text("base64", "")
            data = binascii.a2b_base64(encoded) if encoded else line.text("text", "").encode()
            stream = line.number("stream")
            on_terminal = self._filters[stream]
            if on_terminal:
                data = on_terminal.feed(data)
            if self._timestamps and data:
                data = self._stamped(stream, line.text("time", "-"), data)
            write_all(stream, data)
        elif kind == "gap":
            self._screen.warn(gap_text(line))

    def end(self) -> None:
        """Leave a terminal as it was: what the workload switched is switched back."""
        for stream, on_terminal in self._filters.items():
            if on_terminal:
                write_all(stream, on_terminal.end() + on_terminal.modes.undo())

    def _stamped(self, stream: int, when: str, data: bytes) -> bytes:
        """Return the bytes with the time before each line that begins in them."""
        stamp = when.encode() + b" "
        begins = self._line_begins[stream]
        self._line_begins[stream] = data.endswith(b"\n")
        lines = data.split(b"\n")
        ended = lines.pop() if not lines[-1] else None
        first = lines[0] if not begins else stamp + lines[0]
        stamped = b"\n".join([first, *(stamp + line for line in lines[1:])])
        return stamped if ended is None else stamped + b"\n"
