"""The body of a request that may have one, collected to be judged.

In: a request's head, pieces of its body. Out: the whole of it, unpacked. Never: more than
MAX_UPLOAD bytes, on the wire or unpacked; an encoding other than gzip.
"""

import zlib
from typing import Final

from cleanroom.gateway.http1.bodies import Spans, body_of
from cleanroom.gateway.http1.heads import RequestHead

MAX_UPLOAD: Final = 1024 * 1024  # bytes
_GZIP: Final = 16 + zlib.MAX_WBITS  # with gzip's own head and checksum


class UploadError(Exception):
    """The body cannot be judged. The text says why, as part of a sentence."""


class Upload:
    """One body on its way."""

    def __init__(self, request: RequestHead) -> None:
        self.request = request
        self._body = body_of(request.framing)
        self._encoding = dict(request.fields).get("content-encoding", "identity").lower()
        self._data = bytearray()

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self._body.done

    @property
    def size(self) -> int:
        """How many bytes of it are held."""
        return len(self._data)

    def read(self, data: bytes) -> bytes:
        """Take a piece; return what follows the body. Raises UploadError, MalformedError."""
        spans: Spans = []
        end = self._body.read(data, 0, spans)
        for begin, stop in spans:
            self._data += data[begin:stop]
        if len(self._data) > MAX_UPLOAD:
            raise UploadError(_TOO_LONG)
        return data[end:]

    def take(self) -> bytes:
        """Return the whole of it, as it was before it was packed. Raises UploadError."""
        if self._encoding == "identity":
            return bytes(self._data)
        if self._encoding not in ("gzip", "x-gzip"):
            message = "it is packed otherwise than by gzip"
            raise UploadError(message)
        unpacking = zlib.decompressobj(_GZIP)
        try:
            data = unpacking.decompress(bytes(self._data), MAX_UPLOAD)
        except zlib.error as error:
            message = "what is packed in it cannot be read"
            raise UploadError(message) from error
        if unpacking.unconsumed_tail:
            raise UploadError(_TOO_LONG)
        if not unpacking.eof or unpacking.unused_data:
            message = "what is packed in it ends too early or too late"
            raise UploadError(message)
        return data


_TOO_LONG: Final = f"it is longer than {MAX_UPLOAD} bytes"
