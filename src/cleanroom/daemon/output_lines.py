"""Pieces of output -> lines of a stream; characters that a pipe cut in two are joined again.

In: pieces of both streams in order. Out: OutputLines and GapLines. Never: more than three bytes
held back, or bytes that are not UTF-8 as text.
"""

from cleanroom.api import codec
from cleanroom.api.streams import GapLine, OutputLine
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
        offset, data = piece.offset, piece.data
        if held is not None:
            offset, data = held.offset, held.data + data
        whole = codec.whole_characters(data)
        if whole < len(data):
            self._held[piece.stream] = Chunk(piece.stream, offset + whole, data[whole:])
        return [codec.output_line(piece.stream, offset, data[:whole])] if whole else []

    def rest(self) -> list[OutputLine | GapLine]:
        """Return lines for what was held back: no more will come."""
        held, self._held = self._held, {}
        return [codec.output_line(each.stream, each.offset, each.data) for each in held.values()]
