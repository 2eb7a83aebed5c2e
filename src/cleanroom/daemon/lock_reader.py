"""Lock files read apart: each time by a process that has no rights, and an end.

In: texts by path, of which any may be hostile. Out: what each pins, or why it cannot be read.
Never: a text parsed in the daemon's own process; a reader that outlives its bounds.
"""

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import cleanroom
from cleanroom.backends.process import Bounds, Captured, Launch, capture_within, memory_file
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


async def read_quickly(texts: Mapping[str, str]) -> Mapping[str, Outcome] | None:
    """Return the outcome of each file; None if a quick look was not enough. Raises Fault."""
    captured = await _read(texts, QUICK)
    if _why(captured, QUICK):
        return None
    return await asyncio.to_thread(_outcomes, texts, captured, QUICK)


async def read_apart(texts: Mapping[str, str]) -> Mapping[str, Outcome]:
    """Return the outcome of each file. Raises Fault(runtime_launch_failed, internal)."""
    captured = await _read(texts, WHOLE)
    return await asyncio.to_thread(_outcomes, texts, captured, WHOLE)


async def _read(texts: Mapping[str, str], share: Share) -> Captured:
    given = await asyncio.to_thread(pack, texts)
    limits = (
        (resource.RLIMIT_CPU, share.cpu_s),
        (resource.RLIMIT_AS, share.memory),
        (resource.RLIMIT_FSIZE, _OUTPUT),
    )
    with memory_file(given) as file:
        bounds = Bounds(_WALL_S, _OUTPUT, limits)
        return await capture_within(_launch(file.fileno()), bounds)


def _launch(stdin: int) -> Launch:
    who = (str(READER_ID), str(READER_ID)) if os.geteuid() == 0 else ()
    folder = str(Path(cleanroom.__file__).parent.parent)
    return Launch(
        argv=(sys.executable, "-P", "-s", "-m", "cleanroom.lockfile_main", *who),
        environment={"LANG": "C.UTF-8", "PYTHONPATH": folder, **_HUGE_PAGES},
        stdin=stdin,
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
