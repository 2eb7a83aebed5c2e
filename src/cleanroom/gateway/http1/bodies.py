"""Bodies: follow one through the stream without copying it.

In: pieces of the stream. Out: where the body ends in each, and which spans are payload.
Never: more than one short line kept, a chunk extension, a repair.
"""

import re
from typing import Final, Protocol

from cleanroom.gateway.http1.heads import (
    Delimiter,
    Framing,
    MalformedError,
    check_trailers_begun,
    parse_trailers,
)

MAX_TRAILERS: Final = 8 * 1024  # bytes

Spans = list[tuple[int, int]]

# Extensions are refused: nobody sends them but to be read in two ways.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,12})\r\n")
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{1,12}\r?")
_LONGEST_SIZE = 14


class Body(Protocol):
    """A body being read."""

    @property
    def done(self) -> bool:
        """Whether the body has ended."""
        ...

    def read(self, data: bytes, start: int, spans: Spans | None = None) -> int:
        """Return where the body's part of `data` from `start` ends; add its payload to `spans`.

        Raises MalformedError.
        """
        ...

    def close(self) -> bool:
        """Take the end of the stream; tell whether the body may end there."""
        ...


def body_of(framing: Framing) -> Body:
    """Return the reader for a body that is delimited like this."""
    if framing.delimiter is Delimiter.LENGTH:
        return LengthBody(framing.length)
    return ChunkedBody() if framing.delimiter is Delimiter.CHUNKED else CloseBody()


class LengthBody:
    """A body of a known number of bytes."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        """Whether all bytes have come."""
        return self._left == 0

    def read(self, data: bytes, start: int, spans: Spans | None = None) -> int:
        """Implement Body."""
        end = min(len(data), start + self._left)
        self._left -= end - start
        if spans is not None and end > start:
            spans.append((start, end))
        return end

    def close(self) -> bool:
        """Implement Body."""
        return self.done


class CloseBody:
    """A body that ends with its connection."""

    done = False

    def read(self, data: bytes, start: int, spans: Spans | None = None) -> int:
        """Implement Body."""
        if spans is not None and len(data) > start:
            spans.append((start, len(data)))
        return len(data)

    def close(self) -> bool:
        """Implement Body."""
        self.done = True
        return True


class ChunkedBody:
    """A body in chunks (RFC 9112 section 7.1), with its trailers."""

    def __init__(self) -> None:
        self._left = 0  # payload of the current chunk that has not come yet
        self._line = b""  # beginning of a size line, of a chunk's CRLF, or of the trailers
        self._step = self._size
        self.done = False

    def read(self, data: bytes, start: int, spans: Spans | None = None) -> int:
        """Implement Body."""
        position = start
        while position < len(data) and not self.done:
            if self._left:
                end = min(len(data), position + self._left)
                self._left -= end - position
                if spans is not None:
                    spans.append((position, end))
                position = end
            else:
                position = self._step(data, position)
        return position

    def close(self) -> bool:
        """Implement Body."""
        return self.done

    def _size(self, data: bytes, position: int) -> int:
        known = len(self._line)
        line = self._line + data[position : position + _LONGEST_SIZE - known]
        found = _SIZE.match(line)
        if found is None:
            if not _SIZE_BEGUN.fullmatch(line):
                message = "a chunk's size is not a plain hexadecimal number"
                raise MalformedError(message)
            self._line = line
            return len(data)
        self._line = b""
        self._left = int(found[1], 16)
        self._step = self._chunk_end if self._left else self._trailers
        return position + found.end() - known

    def _chunk_end(self, data: bytes, position: int) -> int:
        known = len(self._line)
        line = self._line + data[position : position + 2 - known]
        if not b"\r\n".startswith(line):
            message = "a chunk is longer than its size"
            raise MalformedError(message)
        self._line = line
        if len(line) == 2:
            self._line = b""
            self._step = self._size
        return position + len(line) - known

    def _trailers(self, data: bytes, position: int) -> int:
        known = len(self._line)
        section = self._line + data[position : position + MAX_TRAILERS + 1 - known]
        empty = section.startswith(b"\r\n")
        end = 2 if empty else section.find(b"\r\n\r\n") + 4
        if end >= 4 or empty:
            parse_trailers(section[:end])
            self.done = True
            return position + end - known
        if len(section) > MAX_TRAILERS:
            message = f"the trailers are longer than {MAX_TRAILERS} bytes"
            raise MalformedError(message)
        check_trailers_begun(section)
        self._line = section
        return len(data)
