"""Speaking with cleanroom-launch: one message in, descriptors out.

In: steps as data. Out: the message's bytes; the door's sockets; success or the step that failed.
Never: a step that the plan does not name, or a descriptor kept after `close`.
"""

import array
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom.backends.base import DoorSockets
from cleanroom.backends.process import Child, Launch, readable, start

FIRST_FD: Final = 10  # passed descriptors are numbered from here in what is executed
SECCOMP_FD: Final = 9  # the system call filter's number there
STAGE: Final = "/run/cleanroom"  # where taken trees and overlays appear, in the sandbox's view

_DOOR_SOCKETS: Final = 6
_MAX_ANSWER: Final = 1024


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the launcher (native/main.c has their list)."""

    op: str
    arguments: tuple[str, ...] = ()


class LaunchError(Exception):
    """A step failed and nothing was started. `errno` is 0 if the launcher just ended."""

    def __init__(self, step: str, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.step: Final = step
        self.errno: Final = errno
        self.text: Final = text


def encode(steps: Sequence[Step]) -> bytes:
    """Return the message: records `op NUL count NUL argument NUL ...`. Pure.

    Raises ValueError if a word holds a NUL, which would shift what follows.
    """
    words: list[str] = []
    for step in steps:
        words += (step.op, str(len(step.arguments)), *step.arguments)
    if any("\0" in word for word in words):
        message = "cannot pass a NUL to the launcher"
        raise ValueError(message)
    return b"".join(os.fsencode(word) + b"\0" for word in words)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The launcher has done all but the exec; milliseconds of its two halves."""

    network_ms: float
    mounts_ms: float


class Launcher:
    """One launcher process, which becomes the sandbox's runtime. Owns its end of the socket."""

    def __init__(self, child: Child, control: socket.socket) -> None:
        self.child = child
        self._control = control
        self.userns = -1  # the user namespace that owns the mounts; of whoever takes it

    @classmethod
    def start(
        cls, binary: str, steps: Sequence[Step], descriptors: Sequence[int], stderr: int
    ) -> "Launcher":
        """Start the launcher and give it its message. Raises Fault(runtime_launch_failed)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                message = encode(steps)
                launch = Launch(
                    (binary, str(theirs.fileno())), pass_fds=(theirs.fileno(),), stderr=stderr
                )
                child = start(launch)
            except BaseException:
                ours.close()
                raise
            # It can neither block (the buffer is empty and far larger) nor fail: a launcher that
            # has ended already is found by the first answer that does not come.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(message) + 65536)
            socket.send_fds(ours, [message], list(descriptors))
        ours.settimeout(0)  # non-blocking
        return cls(child, ours)

    async def door(self) -> DoorSockets:
        """Wait for the sockets. Raises LaunchError."""
        _, received = await self._answer("D")
        if len(received) != _DOOR_SOCKETS + 1:
            for descriptor in received:
                os.close(descriptor)
            raise LaunchError(step="door", text="sent the wrong number of sockets")
        self.userns = received[_DOOR_SOCKETS]
        return DoorSockets(*received[:_DOOR_SOCKETS])

    async def prepared(self) -> Prepared:
        """Wait until only the exec is left. Raises LaunchError."""
        words, _ = await self._answer("R")
        return Prepared(int(words[0]) / 1000, int(words[1]) / 1000)

    async def go(self) -> None:
        """Let it execute, and wait until it has. Raises LaunchError."""
        try:
            self._control.send(b"g")
        except OSError as error:
            raise LaunchError(
                step="wait", errno=error.errno or 0, text="the launcher ended"
            ) from error
        await self.executed()

    async def executed(self) -> None:
        """Wait for the exec, or, if the message had none, the end. Raises LaunchError."""
        await self._answer("")

    def close(self) -> None:
        """Close the socket; a launcher that still waits for it ends. Idempotent."""
        self._control.close()
        if self.userns >= 0:
            os.close(self.userns)
            self.userns = -1

    async def _answer(self, wanted: str) -> tuple[list[str], list[int]]:
        """Return the next answer, which must be of the kind `wanted` ("": the end)."""
        await readable(self._control.fileno())
        space = socket.CMSG_SPACE(4 * (_DOOR_SOCKETS + 1))
        data, ancillary, _, _ = self._control.recvmsg(
            _MAX_ANSWER, space, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
        )
        received = _descriptors(ancillary)
        kind, *words = data.decode("utf-8", "replace").rstrip("\0").split("\0")
        if kind == wanted:
            return words, received
        for descriptor in received:
            os.close(descriptor)
        if kind == "E" and len(words) == 3 and words[1].isdecimal():
            raise LaunchError(words[0], words[2], int(words[1]))
        raise LaunchError(step="launcher", text="the launcher ended without an answer")


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    received = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            received.frombytes(data[: len(data) - len(data) % received.itemsize])
    return list(received)
