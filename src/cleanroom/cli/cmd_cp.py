"""`cleanroom cp`: files out of a living sandbox, and into it.

In: `SBX:PATH` and a path of this machine, or `-` for a tar stream. Out: files as data. Never: a
file of this machine replaced unasked, or anything of the sandbox that runs or leads elsewhere.
"""

# pathlib costs 3 ms of every call, and knows nothing of descriptors:
# ruff: noqa: PTH102, PTH112, PTH116, PTH119
import argparse
import os
import posixpath
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cleanroom.cli.exec_output import counted, write_all
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client import archive
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.pack import PIECE, Packer
from cleanroom.client.reply import Reply
from cleanroom.client.tar import BLOCK, END, FILE, LINK, Archive, header_bytes
from cleanroom.client.unpack import LEFT_OUT, Unpacker, is_git, unwanted
from cleanroom.errors import Code, UsageError, UserError

_INSIDE: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62}|sbx_[0-9a-f]{20}):(.*)", re.DOTALL)
STREAM: Final = "-"


class Inside(NamedTuple):
    """A path in a sandbox; `contents`: it was written with `/.` or `/` at its end."""

    sandbox: str
    path: str
    contents: bool


def parser() -> Parser:
    """Return the parser."""
    made = Parser(
        "cp",
        "Copy files out of a living sandbox, or into it. `-` is a tar stream.",
        "cleanroom cp dev:dist ./dist",
    )
    made.operand("FROM", "SANDBOX:PATH, or a path here, or -")
    made.operand("TO", "the other of both; a folder that exists gets it inside")
    made.switch("-f --force", "replace files here that exist")
    add_daemon_flags(made)
    return made


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `cp`."""
    return (parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Copy."""
    return run_one(Sub(parser, _copy), words, shell)


def _copy(options: argparse.Namespace, shell: Shell) -> int:
    source, target = getattr(options, "from"), options.to
    inside_from, inside_to = _inside(source), _inside(target)
    if (inside_from is None) == (inside_to is None):
        message = "cannot copy: one of both must be SANDBOX:PATH, the other a path here"
        raise UsageError(Code.REQUEST_INVALID, message, "cleanroom cp dev:dist ./dist")
    try:
        with shell.connect(options) as connection:
            if inside_from is not None:
                return Out(connection, shell, inside_from).copy(target, replace=options.force)
            if inside_to is not None:
                return _copy_in(source, inside_to, connection, shell)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = plain(os.fsdecode(error.filename)) if error.filename else target
        message = f"cannot copy: {where}: {error.strerror}"
        hint = "name a file of yours, or SANDBOX:PATH; cleanroom cp --help"
        raise UserError(Code.REQUEST_INVALID, message, hint) from error
    return 0


def _inside(word: str) -> Inside | None:
    found = _INSIDE.fullmatch(word)
    if found is None:
        return None
    path = found[2] or "."
    return Inside(found[1], path, path == "." or path.endswith(("/", "/.")))


def _facts(connection: Connection, at: Inside) -> Reply:
    call = Call("list_files", {"sandbox_id": at.sandbox}, {"path": at.path})
    return connection.call(call)


class Out:
    """One copy out of a sandbox."""

    def __init__(self, connection: Connection, shell: Shell, at: Inside) -> None:
        self._connection = connection
        self._shell = shell
        self._at = at
        facts = _facts(connection, at)
        self._folder = facts.text("kind") == "folder"
        self._name = posixpath.basename(facts.text("path")) or "root"
        if facts.text("kind") not in ("folder", "file"):
            message = f"cannot copy {at.path!r}: it is {facts.text('kind')} in the sandbox"
            raise UserError(
                Code.REQUEST_INVALID, message, f"cleanroom sandboxes files {at.sandbox}"
            )

    def copy(self, target: str, *, replace: bool) -> int:
        """Bring it to `target`."""
        if target == STREAM:
            if os.isatty(1):
                message = "cannot write an archive to a terminal"
                raise UsageError(Code.REQUEST_INVALID, message, "send it to a file or a pipe")
            for piece in self._safe(Archive(self._pieces())):
                write_all(1, piece)
            return 0
        top, rename = self._place(target)
        try:
            unpacker = Unpacker(top, replace=replace)
            unpacker.unpack(Archive(self._pieces()), rename)
        finally:
            os.close(top)
        for path, why in unpacker.skipped:
            self._shell.screen.warn(f"cleanroom: left out {plain(path)}: {why}")
        self._shell.screen.say(f"cleanroom: {counted(unpacker.written, 'file')} copied")
        return 0

    def _pieces(self) -> Iterator[bytes]:
        query = {"path": self._at.path, **({"folder": "true"} if self._folder else {})}
        call = Call("read_files", {"sandbox_id": self._at.sandbox}, query)
        return archive.receive(self._connection.upgrade(call))

    def _place(self, target: str) -> tuple[int, tuple[str, ...] | None]:
        """Return the open folder to unpack in, and what a file is called there."""
        path = os.path.realpath(target)
        exists = os.path.isdir(path)
        inner = exists and self._folder and not self._at.contents
        # SECURITY: the name that it has inside counts too: it is where this would go.
        parts = [*path.split("/"), *([self._name] if inner else [])]
        if any(is_git(part) for part in parts):
            message = f"cannot copy into {'/'.join(parts)}: it is part of a git repository"
            raise UserError(Code.REQUEST_INVALID, message, "cleanroom apply --branch NAME")
        if not self._folder:
            at, name = (path, self._name) if exists else os.path.split(path)
            return os.open(at, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), (name,)
        if inner:
            path = f"{path}/{self._name}"
        if not os.path.lexists(path):
            os.mkdir(path, 0o755)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC), None

    def _safe(self, packed: Archive) -> Iterator[bytes]:
        """Yield an archive of ours, with what may come out of the one that the sandbox made."""
        above = () if self._at.contents or not self._folder else (self._name,)
        for member in packed:
            why = "a link" if member.kind == LINK else unwanted(member)
            if why:
                self._shell.screen.warn(f"cleanroom: left out {plain(member.path)}: {why}")
                continue
            if member.parts or above:
                mode = 0o755 if member.mode & 0o100 or member.kind != FILE else 0o644
                yield header_bytes(member._replace(parts=(*above, *member.parts), mode=mode))
            yield from packed.data()
            yield bytes(-member.size % BLOCK)
        yield END


def _copy_in(source: str, at: Inside, connection: Connection, shell: Shell) -> int:
    facts = _facts(connection, at)
    path, kind = facts.text("path"), facts.text("kind")
    if source == STREAM:
        if kind != "folder":
            message = f"cannot unpack in {at.path!r}: it is no folder in the sandbox"
            raise UserError(Code.REQUEST_INVALID, message, _listing(at))
        _send(at.sandbox, path, _standard_input(), connection)
        return 0
    name = os.path.basename(os.path.realpath(source))
    folder, wanted = (path, name) if kind == "folder" else posixpath.split(path)
    if kind != "folder" and (at.contents or (kind != "missing" and os.path.isdir(source))):
        message = f"cannot copy into {at.path!r}: it is no folder in the sandbox"
        raise UserError(Code.REQUEST_INVALID, message, _listing(at))
    parts = () if source.endswith(("/.", "/")) and kind == "folder" else (wanted,)
    packer = Packer()
    os.stat(source)  # said before anything is sent
    _send(at.sandbox, folder, packer.pack(source, parts), connection)
    for each in packer.skipped:
        shell.screen.warn(f"cleanroom: left out {plain(each)}: {LEFT_OUT}")
    return 0


def _listing(at: Inside) -> str:
    return f"see what is there: cleanroom sandboxes files {at.sandbox}"


def _send(sandbox: str, folder: str, pieces: Iterable[bytes], connection: Connection) -> None:
    call = Call("write_files", {"sandbox_id": sandbox}, {"path": folder})
    archive.send(connection.upgrade(call), pieces)


def _standard_input() -> Iterator[bytes]:
    if os.isatty(0):
        message = "cannot read an archive from a terminal"
        raise UsageError(Code.REQUEST_INVALID, message, "tar c FILES | cleanroom cp - SANDBOX:PATH")
    while data := sys.stdin.buffer.read(PIECE):
        yield data
