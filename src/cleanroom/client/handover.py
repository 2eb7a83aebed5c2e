"""The connection on which values are handed to the daemon: descriptors, and a ticket for them.

In: sealed anonymous files by secret. Out: the ticket, good while the connection is open. Never: a
byte of a value sent; a daemon of another user.
"""

import json
import socket
from array import array
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError, read_json
from cleanroom.errors import Code, Fault

_LINE_LIMIT: Final = 64 * 1024


class HandOver:
    """A context manager. `ticket` is what RunOptions.handover takes."""

    def __init__(self, path: str, descriptors: Mapping[str, int]) -> None:
        """Connect to the daemon at `path` and hand over. Raises Refused, Fault, RemoteError."""
        self._connection = Connection.again(path)
        try:
            self._connection.check_owner()
            (self._socket, _), _ = self._connection.become(Call("hand_over"))
            self.ticket = self._give(descriptors)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Make the ticket void. Idempotent."""
        self._connection.close()

    def _give(self, descriptors: Mapping[str, int]) -> str:
        silent = "it did not answer"
        line = json.dumps(list(descriptors)).encode() + b"\n"
        try:
            rights = socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors.values())
            sent = self._socket.sendmsg([line], [rights])
            self._socket.sendall(line[sent:])
            answer = b""
            while not answer.endswith(b"\n"):
                data = self._socket.recv(_LINE_LIMIT)
                answer += data
                if not data or len(answer) > _LINE_LIMIT:
                    raise _no_answer(silent)
        except OSError as error:
            raise _no_answer(error.strerror or "it did not answer in time") from error
        reply = read_json(answer)
        if "ticket" not in reply:
            raise RemoteError(reply)
        return reply.text("ticket")


def _no_answer(why: str) -> Fault:
    message = f"cannot hand secrets to the daemon: {why}"
    return Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor")
