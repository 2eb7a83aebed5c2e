"""An archive over one WebSocket: bytes of a tar in or out, then the daemon's last word.

In: an upgraded socket. Out: pieces of the archive, or its end. Never: a connection that was lost
taken for the end, or more than a few pieces in memory.
"""

import json
from collections.abc import Iterable, Iterator
from typing import NoReturn

from cleanroom.client import frames
from cleanroom.client.blocking import READ_SIZE, Upgraded
from cleanroom.client.calls import RemoteError, read_json
from cleanroom.errors import Code, Fault


def receive(upgraded: Upgraded) -> Iterator[bytes]:
    """Yield the archive. Raises RemoteError if the daemon says why it failed, Fault if cut."""
    for message in _messages(upgraded):
        if message.opcode == frames.BINARY:
            yield message.data
        elif message.opcode == frames.TEXT:
            last = read_json(message.data)
            if last.text("type") == "error":
                raise RemoteError(last.item("problem"))
            return


def _messages(upgraded: Upgraded) -> Iterator[frames.Message]:
    sock, data = upgraded
    sock.settimeout(None)
    reader = frames.FrameReader()
    while True:
        yield from reader.feed(data)
        try:
            data = sock.recv(READ_SIZE)
        except OSError:
            data = b""
        if not data:
            _lost()


def send(upgraded: Upgraded, pieces: Iterable[bytes]) -> None:
    """Send the archive and wait until it is unpacked. Raises as `receive`."""
    sock, first = upgraded
    sock.settimeout(None)
    try:
        for piece in pieces:
            sock.sendall(frames.frame_bytes(frames.BINARY, piece, frames.LOCAL_MASK))
        eof = json.dumps({"type": "eof"}).encode()
        sock.sendall(frames.frame_bytes(frames.TEXT, eof, frames.LOCAL_MASK))
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has a last word, or is lost: the next read says which
    for _ in receive((sock, first)):
        pass


def _lost() -> NoReturn:
    message = "cannot copy: the daemon closed the connection"
    raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom sandboxes list")
