"""The fake backend keeps the contract that it stands for: it passes the same suite."""

from pathlib import Path

from cleanroom.backends.base import Backend, Exit
from tests.backends.conformance import Conformance
from tests.fake_process import PROGRAMS, FakeProcess
from tests.fakes import FakeBackend, settle


async def _kill(process: FakeProcess) -> int:
    """`kill -9 $$`."""
    process.end(Exit(None, 9))
    return 0


async def _trap(process: FakeProcess) -> int:
    """`trap 'exit 7' TERM; ...`: says that it is up, and exits when it is told to."""
    process.ignores_term = True
    await process.say(b"up\n")
    while not process.signals:
        await settle()
    return 7


class TestFakeBackend(Conformance):
    def backend(self, folder: Path) -> Backend:
        return FakeBackend(programs={**PROGRAMS, "kill": _kill, "trap": _trap})
