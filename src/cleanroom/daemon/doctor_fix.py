"""The repairs that `doctor --fix` knows: missing packages, and AppArmor profiles.

In: facts of the machine. Out: repairs as data, then carried out one by one.
Never: a global sysctl, a change for any program but our launcher and bubblewrap, or an attempt
without the rights for it.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cleanroom.backends.process import Launch, capture, find_program
from cleanroom.daemon.doctor_report import Repair
from cleanroom.errors import Fault

# As root sees it: sudo's PATH has no virtual environment in it.
COMMAND = f"sudo {sys.prefix}/bin/cleanroom doctor --fix"
PROFILES = Path("/etc/apparmor.d")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# `unconfined` with `userns` is what distributions ship for browsers: the program may make user
# namespaces and is confined no further. The path must be quoted: it may contain spaces.
_PROFILE = """\
# Written by `cleanroom doctor --fix`; remove it with: apparmor_parser -R {file} && rm {file}
abi <abi/4.0>,
include <tunables/global>

profile {name} "{program}" flags=(unconfined) {{
  userns,
}}
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the repairs depend on. `launcher` is our native program; `bubblewrap` "" if missing."""

    bubblewrap: str
    launcher: str
    restricted: bool  # AppArmor keeps user namespaces from programs without a profile
    profiled: frozenset[str] = frozenset()  # programs that have a profile already


@dataclass(frozen=True, slots=True)
class Step:
    """One repair: a file to write (or none), then a command."""

    title: str
    argv: tuple[str, ...]
    file: Path | None = None
    content: str = ""

    @property
    def repair(self) -> Repair:
        """The step as the report shows it."""
        return Repair(self.title, f"{COMMAND}  # {' '.join(self.argv)}")


def plan(machine: Machine, profiles: Path = PROFILES) -> tuple[Step, ...]:
    """Return the steps that this machine needs, in order; none if nothing is broken."""
    steps = []
    if not machine.bubblewrap:
        install = ("apt-get", "install", "-y", "--no-install-recommends", "bubblewrap")
        steps.append(Step("install bubblewrap", install))
    if machine.restricted:
        programs = (
            ("cleanroom-launch", machine.launcher),
            ("cleanroom-bwrap", machine.bubblewrap or "/usr/bin/bwrap"),
        )
        steps += [
            _profile(name, program, profiles)
            for name, program in programs
            if program not in machine.profiled
        ]
    return tuple(steps)


def profiled_programs(profiles: Path = PROFILES) -> frozenset[str]:
    """Return the absolute paths that a profile of this machine names as its program.

    A second profile for the same path would make AppArmor refuse both.
    """
    found = set()
    for file in profiles.glob("*"):
        if not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if words[:1] == ["profile"] and len(words) > 2:
                found.add(words[2].strip('"'))
            elif words[:1] and words[0].startswith("/") and words[-1] == "{":
                found.add(words[0].strip('"'))
    return frozenset(found)


async def carry_out(
    steps: tuple[Step, ...], run: Callable[[tuple[str, ...]], Awaitable[str]]
) -> tuple[Repair, ...]:
    """Do every step, also after one that failed; `run` returns "" or why it failed."""
    outcomes = []
    for step in steps:
        failure = ""
        if step.file is not None:
            try:
                step.file.write_text(step.content, encoding="utf-8")
            except OSError as error:
                failure = f"cannot write {step.file}: {error.strerror}"
        failure = failure or await run(step.argv)
        outcomes.append(replace(step.repair, done=not failure, failure=failure))
    return tuple(outcomes)


async def run_as_root(argv: tuple[str, ...]) -> str:
    """Run one repair command; return "" or the last line of what it complained of."""
    program = find_program(argv[0])
    if program is None:
        return f"there is no {argv[0]} on this machine"
    environment = {"PATH": _PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        if argv[0] == "apt-get":  # a fresh machine has no package lists yet
            await capture(Launch((program, "update"), environment), timeout_s=300.0)
        done = await capture(Launch((program, *argv[1:]), environment), timeout_s=600.0)
    except Fault as fault:
        return fault.message
    if done.status == 0:
        return ""
    complaint = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return complaint.splitlines()[-1] if complaint else f"status {done.status}"


def _profile(name: str, program: str, profiles: Path) -> Step:
    file = profiles / name
    return Step(
        f"let {program} make user namespaces (AppArmor profile {name})",
        ("apparmor_parser", "-r", str(file)),
        file,
        _PROFILE.format(file=file, name=name, program=program),
    )
