"""`cleanroom lock`: what a lock file pins, and what it cannot, without a policy or a daemon.

In: a file that the person names. Out: a table, or JSON. Never: a verdict; hosts and modes are the
policy's, and the daemon's to judge.
"""

import argparse
import os

import msgspec

from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.lockfiles import NAME_ONE, WRITE_ANEW, decoded, read_named
from cleanroom.errors import Code, UserError
from cleanroom.lockfile.collector import GIT_HELD
from cleanroom.lockfile.formats import READERS, format_of, read_lockfile
from cleanroom.lockfile.model import Ecosystem, LockfileError, Pin, Reading, Strength, Unpinned


def inspect_parser() -> Parser:
    """Return the parser of `lock inspect`."""
    parser = Parser(
        "lock inspect",
        "Show what a lock file pins, and what it cannot.",
        "cleanroom lock inspect package-lock.json",
    )
    parser.operand("FILE", "the lock file; without one, the only one that is here", "?")
    parser.value("--format", "NAME", "read it as this one, e.g. uv.lock; by default by its name")
    parser.switch("--json", "one JSON object on stdout")
    parser.switch("-q --quiet", "say nothing but results and errors")
    return parser


def inspect(options: argparse.Namespace, shell: Shell) -> int:
    """Show the reading of one file."""
    if options.format and options.format not in READERS:
        message = f"cannot read the format {options.format!r}"
        raise UserError(Code.REQUEST_INVALID, message, f"known: {', '.join(READERS)}")
    path = options.file or _the_one_here()
    text = decoded(path, read_named(path))
    known = options.format or format_of(path)
    try:
        reading = read_lockfile(known, text)
    except LockfileError as error:
        message = f"{path}:{error.line}:{error.column}: {error.message}"
        hint = WRITE_ANEW if known else "name a lock file, or say what it is: --format NAME"
        raise UserError(Code.POLICY_INVALID, message, hint) from None
    if options.json:
        fields = {"path": path, **msgspec.to_builtins(reading)}
        fields["format_version"] = fields.pop("version")  # that name is the shape's own
        shell.screen.json(fields)
        return 0
    shell.screen.out(plain(f"{path}: {summary(reading)}"))
    if reading.pins:
        heads = ("LINE", "NAME", "VERSION", "FILE", "HELD BY")
        shell.screen.table(heads, list(map(_pin, reading.pins)))
    for entry in reading.unpinned:
        if entry.reason == GIT_HELD:  # it has a line of its own
            continue
        shell.screen.out(plain(_unpinned(entry)))
    for include in reading.includes:
        shell.screen.say(f"note: it names {include}, which pins too if it is a lock file")
    return 0


def _the_one_here() -> str:
    """Return the only lock file of this folder. Raises UserError if there is none, or a choice."""
    found = [name for name in READERS if os.path.lexists(name)]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"cannot choose one of {len(found)} lock files: {', '.join(found)}"
        raise UserError(Code.REQUEST_INVALID, message, f"cleanroom lock inspect {found[0]}")
    raise UserError(Code.REQUEST_INVALID, "cannot find a lock file in this folder", NAME_ONE)


def summary(reading: Reading) -> str:
    """Return format and counts in one sentence."""
    version = f" {reading.version}" if reading.version else ""
    loose = sum(pin.strength is Strength.FIRST_SEEN for pin in reading.pins)
    commits = sum(pin.ecosystem is Ecosystem.GIT for pin in reading.pins)
    left = sum(not entry.local and entry.reason != GIT_HELD for entry in reading.unpinned)
    said = [
        f"{reading.format}{version}",
        f"{len(reading.pins) - loose - commits} pinned",
        f"{commits} by commit" if commits else "",
        f"{loose} by name and version only" if loose else "",
        f"{left} not pinned" if left else "",
    ]
    return ", ".join(filter(None, said))


def _pin(pin: Pin) -> tuple[str, ...]:
    held = _short(pin.digests[0]) if pin.digests else "name and version"
    if pin.ecosystem is Ecosystem.GIT:
        held = "its commit (registries.git)"
    if len(pin.digests) > 1:
        held += f" or {len(pin.digests) - 1} more"
    return (str(pin.line), pin.name, pin.version, pin.file or "-", held)


def _short(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:12]}…"


def _unpinned(entry: Unpinned) -> str:
    name = f"{entry.name} {entry.version}".strip()
    state = "not fetched" if entry.local else "not pinned"
    return f"line {entry.line}: {name} is {state}: {entry.reason}"


SUBS = {"inspect": Sub(inspect_parser, inspect)}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("lock", SUBS, words, shell)
