"""Lock files read apart: each time by a process that has no rights, and an end.

In: texts by path, of which any may be hostile. Out: what each pins, or why it cannot be read.
Never: a text parsed in the daemon's own process; a reader that outlives its bounds, that reads for
two, or that waits on when its daemon is gone.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import cleanroom
from cleanroom.backends.process import Bounds, Capture, Captured, Launch, memory_file
from cleanroom.errors import Code, Fault
from cleanroom.lockfile.lines import OUT_OF_MEMORY, Outcome, Outcomes, WireError, pack

_log = logging.getLogger(__name__)

READER_ID: Final = 0x6FFFFFFE  # uid and gid of a root daemon's reader: nobody else's
_OUTPUT: Final = 128 << 20
_WALL_S: Final = 120.0
# A large text grows it by some 60 MB at once: in 4 KiB each, that is a tenth of its time.
_HUGE_PAGES: Final = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

_NO_MEMORY: Final = b"memory allocation of "  # what the TOML parser says before it aborts


class Share(NamedTuple):
    """What a reader may take before it is ended."""

    cpu_s: int
    memory: int

    @property
    def too_slow(self) -> str:
        """Why it is ended by the kernel: RLIMIT_CPU's signal, or that of too little memory."""
        return (
            f"cannot read it: it takes more than {self.cpu_s} s of a processor, or too much memory"
        )

    @property
    def too_large(self) -> str:
        """Why it ends by itself."""
        return f"cannot read it: it needs more than {self.memory >> 20} MiB of memory"


QUICK: Final = Share(1, 512 << 20)  # enough for nearly every lock file there is
WHOLE: Final = Share(20, 2048 << 20)


class Readers:
    """Starts readers; once it is opened, one ahead of the texts it will read (ADR 39)."""

    def __init__(self) -> None:
        self._is_open = False
        self._is_needed = False
        self._spare: _Reader | None = None

    def open(self) -> None:
        """Keep a spare reader from now on, while lock files are in use."""
        self._is_open = True

    async def close(self) -> None:
        """Keep none any more."""
        self._is_open = False
        await self._dismiss()

    async def tidy(self) -> None:
        """End a spare that was of no use since the last time: it costs memory."""
        if not self._is_needed:
            await self._dismiss()
        self._is_needed = False

    def prepare(self) -> None:
        """See to it that a reader waits, for texts that may come."""
        self._is_needed = True
        if not self._is_open or self._spare is not None:
            return
        try:
            self._spare = _Reader(QUICK)
        except (Fault, OSError) as error:  # who has texts will be told, if it is still so then
            _log.warning("no reader of lock files waits: %s", error)

    async def read_quickly(self, texts: Mapping[str, str]) -> Mapping[str, Outcome] | None:
        """Return the outcome of each file; None if a quick look was not enough. Raises Fault."""
        given = await asyncio.to_thread(pack, texts)
        spare, self._spare = self._spare, None
        if spare is not None and spare.give(given):
            captured = await spare.end()
        else:
            if spare is not None:
                await spare.end()  # somebody has killed it
            captured = await _read(given, QUICK)
        if _why(captured, QUICK):
            return None
        return await asyncio.to_thread(_outcomes, texts, captured, QUICK)

    async def read_apart(self, texts: Mapping[str, str]) -> Mapping[str, Outcome]:
        """Return the outcome of each file. Raises Fault(runtime_launch_failed, internal)."""
        captured = await _read(await asyncio.to_thread(pack, texts), WHOLE)
        return await asyncio.to_thread(_outcomes, texts, captured, WHOLE)

    async def _dismiss(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.end()


async def _read(texts: bytes, share: Share) -> Captured:
    reader = _Reader(share)
    reader.give(texts)
    return await reader.end()


class _Reader:
    """A process that waits for texts, reads them, and ends. Whoever starts it awaits `end()`."""

    def __init__(self, share: Share) -> None:
        with contextlib.ExitStack() as opened:
            self._texts = opened.enter_context(memory_file())
            reading, writing = os.pipe()
            # A daemon that is killed closes it, too: nothing waits for one that is gone.
            self._go = opened.enter_context(os.fdopen(writing, "wb", buffering=0))
            with os.fdopen(reading, "rb", buffering=0):
                launch = _launch(reading, self._texts.fileno(), share)
                self._capture = Capture(launch, Bounds(_WALL_S, _OUTPUT))
            self._files = opened.pop_all()

    def give(self, texts: bytes) -> bool:
        """Let it read these; False if it has ended before."""
        self._texts.write(texts)
        try:
            self._go.write(b"\n")
        except BrokenPipeError:
            return False
        return True

    async def end(self) -> Captured:
        """Return how it ended, without texts if it was given none."""
        with self._files:
            self._go.close()
            return await self._capture.end()


def _launch(stdin: int, texts: int, share: Share) -> Launch:
    bounds = (str(share.cpu_s), str(share.memory), str(_OUTPUT))
    who = (str(READER_ID), str(READER_ID)) if os.geteuid() == 0 else ()
    folder = str(Path(cleanroom.__file__).parent.parent)
    program = (sys.executable, "-P", "-s", "-m", "cleanroom.lockfile_main")
    return Launch(
        argv=(*program, str(texts), *bounds, *who),
        environment={"LANG": "C.UTF-8", "PYTHONPATH": folder, **_HUGE_PAGES},
        stdin=stdin,
        pass_fds=(texts,),
    )


def _outcomes(texts: Mapping[str, str], captured: Captured, share: Share) -> Mapping[str, Outcome]:
    outcomes = Outcomes(texts)
    *lines, rest = captured.stdout.split(b"\n")
    try:
        outcomes.take(lines)
    except WireError as error:
        raise _broken(captured) from error
    if captured.status == 0 and outcomes.is_whole and not rest:
        return outcomes.found
    why = _why(captured, share)
    if not why or not outcomes.reading:
        raise _broken(captured)
    outcomes.fail(why)
    return outcomes.found


def _why(captured: Captured, share: Share) -> str:
    """Return which bound has ended a reader; "" if none has."""
    if captured.status == -signal.SIGKILL:
        return share.too_slow
    aborted = captured.status == -signal.SIGABRT and _NO_MEMORY in captured.stderr
    return share.too_large if aborted or captured.status == OUT_OF_MEMORY else ""


def _broken(captured: Captured) -> Fault:
    said = captured.stderr.decode("utf-8", "replace")[-2000:]
    _log.error("the reader of lock files ended with status %d: %s", captured.status, said)
    message = f"cannot read the lock files: their reader ended with status {captured.status}"
    return Fault(Code.INTERNAL, message, "the daemon's log has the rest")
