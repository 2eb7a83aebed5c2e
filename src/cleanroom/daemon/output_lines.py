"""Pieces of output -> lines of a stream; characters that a pipe cut in two are joined again.

In: pieces of both streams in order. Out: OutputLines and GapLines. Never: more than three bytes
held back, or bytes that are not UTF-8 as text.
"""

from datetime import UTC, datetime

from cleanroom.api import codec
from cleanroom.api.streams import GapLine, OutputLine
from cleanroom.daemon.clock import timestamp
from cleanroom.daemon.output import Chunk, Gap


class OutputLines:
    """The lines of one reader."""

    def __init__(self) -> None:
        self._held: dict[int, Chunk] = {}  # the beginning of a character, by stream

    def feed(self, piece: Chunk | Gap) -> list[OutputLine | GapLine]:
        """Return the lines for the next piece."""
        if isinstance(piece, Gap):
            gap = GapLine(stream=piece.stream, offset=piece.offset, missing=piece.missing)
            return [*self.rest(), gap]
        held = self._held.pop(piece.stream, None)
        if held is not None:
            piece = Chunk(piece.stream, held.offset, held.data + piece.data, held.at)
        whole = codec.whole_characters(piece.data)
        if whole < len(piece.data):
            offset, data = piece.offset + whole, piece.data[whole:]
            self._held[piece.stream] = Chunk(piece.stream, offset, data, piece.at)
        return [_line(piece, piece.data[:whole])] if whole else []

    def rest(self) -> list[OutputLine | GapLine]:
        """Return lines for what was held back: no more will come."""
        held, self._held = self._held, {}
        return [_line(each, each.data) for each in held.values()]


def _line(chunk: Chunk, data: bytes) -> OutputLine:
    when = timestamp(datetime.fromtimestamp(chunk.at, tz=UTC)) if chunk.at else None
    return codec.output_line(chunk.stream, chunk.offset, data, when)
