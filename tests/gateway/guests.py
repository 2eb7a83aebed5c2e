"""A guest in a network namespace whose only way out is a door, made by the native launcher.

`ask_inside` runs a Python program there as an unprivileged user and returns what it printed.
"""

import asyncio
import os
import socket
from pathlib import Path

from cleanroom.backends.base import Door
from cleanroom.backends.launcher import Launcher, Step
from tests.conftest import PROGRAMS

PYTHON = "/usr/bin/python3"
NOBODY = "60000"

# Helpers for the programs: `get` judges by bytes, for a connect may succeed before its reset.
PRELUDE = """
import socket, sys
def get(host, port, data=b'', wait=5):
    try:
        place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except socket.gaierror:
        return 'no such name'
    try:
        with socket.create_connection(place[:2], timeout=wait) as s:
            s.sendall(data)
            got = b''
            while piece := s.recv(65536):
                got += piece
            return got.decode('latin-1')
    except ConnectionError as error:
        return type(error).__name__
    except TimeoutError:
        return 'timeout'
"""


def plan(program: str) -> list[Step]:
    """Return the launcher's steps."""
    root = os.geteuid() == 0
    ids = (str(os.geteuid()), str(os.getegid()))
    return [
        *([] if root else [Step("userns", ids)]),
        Step("netns"),
        Step("door"),
        Step("drop", (NOBODY, NOBODY) if root else ("0", "0")),
        Step("wait"),
        Step("exec", (PYTHON, "-I", "-c", PRELUDE + program)),
    ]


class Guest:
    """One program behind a door."""

    def __init__(self, launcher: Launcher, output: socket.socket) -> None:
        self._launcher = launcher
        self._output = output

    @classmethod
    async def start(cls, door: Door, program: str) -> "Guest":
        """Make the namespace, attach the door, start the program."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            binary = str(Path(PROGRAMS) / "cleanroom-launch")
            wrapped = f"import os\nsys.stdout = os.fdopen(10, 'w', buffering=1)\n{program}"
            launcher = Launcher.start(binary, plan(wrapped), [theirs.fileno()], 2)
        await door.attach(await launcher.door())
        await launcher.prepared()
        await launcher.go()
        launcher.close()
        return cls(launcher, ours)

    async def line(self) -> str:
        """Wait for its next output."""
        loop = asyncio.get_running_loop()
        return (await loop.sock_recv(self._output, 65536)).decode()

    async def rest(self) -> str:
        """Wait for its end; return all it printed."""
        text = ""
        while piece := await self.line():
            text += piece
        await self._launcher.child.wait()
        self._output.close()
        return text


async def ask_inside(door: Door, program: str) -> str:
    """Run a program inside to its end."""
    return await (await Guest.start(door, program)).rest()
