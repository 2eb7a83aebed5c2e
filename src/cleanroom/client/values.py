"""The values of secrets, read with the person's own rights: variable, file, descriptor, program.

In: a Source, the environment, the workspace. Out: a sealed anonymous file that holds the value.
Never: a value on a command line, in a message or in a request; a program found in the workspace; a
read without a bound in size and time.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH117
import fcntl
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from cleanroom.client.sources import Source
from cleanroom.errors import Code, Refused

MOST: Final = 16 * 1024
MOST_JSON: Final = 1024 * 1024  # of a file that a pointer looks into
PROVIDER_S: Final = 60.0  # a person may have to unlock something
KEYRING: Final = "secret-tool"
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


_Child = subprocess.Popen  # noqa: TID251 -- what starts sandboxes is out of a client's reach


class Surroundings(NamedTuple):
    """What providers see: the caller's variables, and the folder that must not name programs."""

    environ: Mapping[str, str]
    workspace: str
    seconds: float = PROVIDER_S


class _Unreadable(Exception):  # noqa: N818 -- a reason, which becomes Refused with the secret's name
    """Why there is no value; never with a part of it."""


def sealed_value(source: Source, around: Surroundings, kind: str = "static") -> int:
    """Return a descriptor of the value, which is of this kind; the caller closes it.

    Raises Refused(secret_unavailable).
    """
    try:
        value = _read(source, around)
    except _Unreadable as error:
        raise _refused(source, str(error)) from None
    why = _why_unusable(value, kind)
    if why:
        raise _refused(source, why)
    return _sealed(value)


def leads_somewhere(path: str, pointer: str) -> bool:
    """Tell whether a JSON file has a text or an object at a pointer."""
    try:
        _pointed(_file(path, MOST_JSON), pointer)
    except _Unreadable:
        return False
    return True


def text_at(path: str, pointer: str) -> str:
    """Return the text that a JSON file has at a pointer and that is no secret; "" for none."""
    try:
        return _pointed(_file(path, MOST_JSON), pointer).decode("utf-8", "replace")
    except _Unreadable:
        return ""


def _refused(source: Source, why: str) -> Refused:
    message = f"cannot use the secret '{source.secret_id}' ({source.text()}): {why}"
    return Refused(Code.SECRET_UNAVAILABLE, message, "cleanroom secrets check")


def _sealed(value: bytes) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    descriptor = os.memfd_create("cleanroom-secret", flags)
    try:
        os.pwrite(descriptor, value, 0)  # memory takes it whole
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _read(source: Source, around: Surroundings) -> bytes:
    if source.provider == "env":
        return _variable(source.words[0], around.environ)
    if source.provider == "file":
        path, *pointer = source.words
        if pointer:
            return _pointed(_file(path, MOST_JSON), pointer[0])
        return _trimmed(_file(path, MOST + 2))
    if source.provider == "fd":
        return _trimmed(_descriptor(int(source.words[0]), around.seconds))
    if source.provider == "command":
        return _trimmed(_command(source.words, around))
    if source.provider == "keyring":
        return _trimmed(_command((KEYRING, "lookup", *source.words), around))
    why = f"this version of cleanroom has no provider '{source.provider}'"
    raise _Unreadable(why)


def _why_unusable(value: bytes, kind: str) -> str:
    """The gateway judges by the same words; here it is said before anything starts."""
    from cleanroom.decide.kinds import KINDS  # noqa: PLC0415 -- only with secrets

    if kind not in KINDS:
        return f"this version of cleanroom knows no kind '{kind}'"
    return KINDS[kind].why_unusable(value)


def _trimmed(value: bytes) -> bytes:
    """Take one line end off, as printers and editors add."""
    return value.removesuffix(b"\n").removesuffix(b"\r")


def _variable(name: str, environ: Mapping[str, str]) -> bytes:
    if name not in environ:
        why = "the variable is not set"
        raise _Unreadable(why)
    return os.fsencode(environ[name])


def _pointed(text: bytes, pointer: str) -> bytes:
    """Return what a JSON pointer (RFC 6901) leads to: a text, or an object as one line of JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        why = "it is no JSON"
        raise _Unreadable(why) from None
    for word in pointer.split("/")[1:]:
        name = word.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            why = f"it has nothing at {pointer}"
            raise _Unreadable(why)
        found = found[name]
    if isinstance(found, dict):
        return json.dumps(found, separators=(",", ":")).encode()
    if not isinstance(found, str):
        why = f"what it has at {pointer or 'its top'} is neither a text nor an object"
        raise _Unreadable(why)
    return found.encode("utf-8", "surrogatepass")


def _file(path: str, most: int) -> bytes:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _Unreadable(error.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            why = "it is not a regular file"
            raise _Unreadable(why)
        return os.read(descriptor, most + 1)
    except OSError as error:
        raise _Unreadable(error.strerror) from None
    finally:
        os.close(descriptor)


def _descriptor(number: int, seconds: float) -> bytes:
    """Read to the end, or to more than a value may have."""
    until = time.monotonic() + seconds
    value = b""
    try:
        while len(value) <= MOST + 2:
            left = until - time.monotonic()
            if left <= 0 or not select.select([number], [], [], left)[0]:
                why = f"nothing ended it within {seconds:g} s"
                raise _Unreadable(why)
            data = os.read(number, MOST + 3 - len(value))
            if not data:
                break
            value += data
    except (OSError, ValueError) as error:
        raise _Unreadable(getattr(error, "strerror", None) or "it is not open") from None
    return value


def _command(words: tuple[str, ...], around: Surroundings) -> bytes:
    """Return what a program prints. It has no terminal to print to, and ends with its group."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            child = _start([_program(words[0], around), *words[1:]], around.environ, writer)
        finally:
            os.close(writer)
        with child:
            try:
                value = _descriptor(reader, around.seconds)
                if len(value) <= MOST + 2:
                    _ended(child.pid, around.seconds)
            finally:
                # Not waited for yet: its number still means this group.
                os.killpg(child.pid, signal.SIGKILL)
    finally:
        os.close(reader)
    if len(value) <= MOST + 2 and child.returncode:
        status = f"it ended with status {child.returncode}"
        why = f"{status}; run it yourself to see why (here it has no terminal)"
        raise _Unreadable(why)
    return value


def _start(argv: list[str], environ: Mapping[str, str], output: int) -> "_Child[bytes]":
    try:
        return _Child(
            argv,
            cwd="/",
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,  # some print the value there too
            start_new_session=True,
        )
    except OSError as error:
        raise _Unreadable(error.strerror) from None


def _ended(pid: int, seconds: float) -> None:
    process = os.pidfd_open(pid)
    try:
        if not select.select([process], [], [], seconds)[0]:
            why = f"it did not end within {seconds:g} s"
            raise _Unreadable(why)
    finally:
        os.close(process)


def _program(word: str, around: Surroundings) -> str:
    """Find a program. SECURITY: not in the workspace, whose files anybody may have written."""
    folders = [
        folder
        for folder in around.environ.get("PATH", os.defpath).split(":")
        if os.path.isabs(folder) and not _inside(os.path.realpath(folder), around.workspace)
    ]
    found = word if os.path.isabs(word) else shutil.which(word, path=":".join(folders))
    if found is None or not os.path.isabs(found):
        hint = " (package libsecret-tools or libsecret)" if word == KEYRING else ""
        why = f"{word} is not installed{hint}"
        raise _Unreadable(why)
    return found


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
