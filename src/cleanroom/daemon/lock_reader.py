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
from typing import Final

import cleanroom
from cleanroom.backends.process import Bounds, Captured, Launch, capture_within, memory_file
from cleanroom.errors import Code, Fault
from cleanroom.lockfile.lines import OUT_OF_MEMORY, Outcome, Outcomes, WireError, pack

_log = logging.getLogger(__name__)

READER_ID: Final = 0x6FFFFFFE  # uid and gid of a root daemon's reader: nobody else's
CPU_S: Final = 20
MEMORY: Final = 2 << 30
_OUTPUT: Final = 128 << 20
_WALL_S: Final = 120.0


async def read_apart(texts: Mapping[str, str]) -> Mapping[str, Outcome]:
    """Return the outcome of each file. Raises Fault(runtime_launch_failed, internal)."""
    given = await asyncio.to_thread(pack, texts)
    limits = (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, _OUTPUT),
    )
    with memory_file(given) as file:
        bounds = Bounds(_WALL_S, _OUTPUT, limits)
        captured = await capture_within(_launch(file.fileno()), bounds)
    return await asyncio.to_thread(_outcomes, texts, captured)


def _launch(stdin: int) -> Launch:
    who = (str(READER_ID), str(READER_ID)) if os.geteuid() == 0 else ()
    folder = str(Path(cleanroom.__file__).parent.parent)
    return Launch(
        argv=(sys.executable, "-P", "-s", "-m", "cleanroom.lockfile_main", *who),
        environment={"LANG": "C.UTF-8", "PYTHONPATH": folder},
        stdin=stdin,
    )


def _outcomes(texts: Mapping[str, str], captured: Captured) -> Mapping[str, Outcome]:
    outcomes = Outcomes(texts)
    *lines, rest = captured.stdout.split(b"\n")
    try:
        outcomes.take(lines)
    except WireError as error:
        raise _broken(captured) from error
    if captured.status == 0 and outcomes.is_whole and not rest:
        return outcomes.found
    why = _why(captured.status)
    if not why or not outcomes.reading:
        raise _broken(captured)
    outcomes.fail(why)
    return outcomes.found


def _why(status: int) -> str:
    if status == -signal.SIGKILL:  # by the kernel: what RLIMIT_CPU does, or too little memory does
        return f"cannot read it: it takes more than {CPU_S} s of a processor, or too much memory"
    if status == OUT_OF_MEMORY:
        return f"cannot read it: it needs more than {MEMORY >> 30} GiB of memory"
    return ""


def _broken(captured: Captured) -> Fault:
    said = captured.stderr.decode("utf-8", "replace")[-2000:]
    _log.error("the reader of lock files ended with status %d: %s", captured.status, said)
    message = f"cannot read the lock files: their reader ended with status {captured.status}"
    return Fault(Code.INTERNAL, message, "the daemon's log has the rest")
