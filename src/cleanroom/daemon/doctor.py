"""`cleanroom doctor`: what is ready on this machine, what is not, and the exact repair.

In: `python -m cleanroom.daemon.doctor [--json] [--fix] [--backend NAME]`. Out: a report on standard
output; status 0 if a runtime is ready, 1 if none is, 2 for a wrong command line.
Never: a running daemon needed, or a change without --fix.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cleanroom.backends.base import Probe
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.backends.process import find_program
from cleanroom.daemon.backends import Backends
from cleanroom.daemon.content import Content
from cleanroom.daemon.doctor_fix import (
    COMMAND,
    Machine,
    carry_out,
    plan,
    profiled_programs,
    run_as_root,
)
from cleanroom.daemon.doctor_host import firecracker_items, restricts_user_namespaces
from cleanroom.daemon.doctor_mirrors import mirror_items
from cleanroom.daemon.doctor_report import Repair, Report, render_json, render_text
from cleanroom.errors import CleanroomError

# Words of --backend that a later version serves.
PLANNED = ("sprites", "docker", "kubernetes")
_CONTENT = 1 << 20  # bytes: the proof keeps one word
_LAUNCHER = Path(__file__).resolve().parent.parent / "bin" / "cleanroom-launch"


async def examine(backends: Backends, machine: Machine) -> Report:
    """Probe every backend and look at the host; repairs are planned, not done."""
    probes = tuple([(name, await _probe(backends, name)) for name in backends.present])
    repairs = tuple(step.repair for step in plan(machine))
    return Report(probes, await firecracker_items(), repairs)


def this_machine() -> Machine:
    """Return what the repairs depend on, as it is now."""
    return Machine(
        bubblewrap=find_program("bwrap") or "",
        launcher=str(_LAUNCHER),
        restricted=restricts_user_namespaces(),
        profiled=profiled_programs(),
    )


async def _probe(backends: Backends, name: str) -> Probe:
    try:
        return await backends.probe(name)
    except CleanroomError as error:
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        return Probe(ready=False, runtime="", capabilities=frozenset(), missing={"probe": reason})


async def _report(options: argparse.Namespace) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="crdoctor") as folder,
        closing(Content(Path(folder) / "content", _CONTENT, lambda: 0.0)) as content,
    ):
        backends = Backends({"local": NamespacesBackend(Path(folder))}, content.prove)
        repaired: tuple[Repair, ...] = ()
        if options.fix and os.geteuid() == 0:
            repaired = await carry_out(plan(this_machine()), run_as_root)
        report = await examine(backends, this_machine())
        mirrors = mirror_items(os.environ, os.geteuid())
        return replace(report, mirrors=mirrors, repairs=repaired or report.repairs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cleanroom doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document, version 1")
    parser.add_argument("--fix", action="store_true", help="repair what the caller's rights allow")
    parser.add_argument("--backend", choices=("local", *PLANNED), default="local")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run doctor; return its exit status."""
    options = _parser().parse_args(argv)
    if options.backend in PLANNED:
        sys.stderr.write(f"cannot use {options.backend}: this version does not have it yet\n")
        return 1
    report = asyncio.run(_report(options))
    sys.stdout.write((render_json if options.json else render_text)(report) + "\n")
    if options.fix and os.geteuid() != 0 and report.repairs:
        sys.stderr.write(f"--fix needs root for these: {COMMAND}\n")
    return 0 if report.ready else 1


def run() -> NoReturn:
    """Be the program. That nobody reads it to its end is no error: `doctor | head -1`."""
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(128 + signal.SIGPIPE)
    sys.exit(status)


if __name__ == "__main__":
    run()
