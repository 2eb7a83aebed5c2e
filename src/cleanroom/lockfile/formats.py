"""Which format a lock file has, and the way in: every text goes through here.

In: a file's name, a text. Out: a Reading, or LockfileError with its place. Never: any other
exception, a text above the limit, or a file read; the client sends texts.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cleanroom.lockfile import (
    berry,
    bun,
    cargo,
    gosum,
    mise,
    npm,
    pdm,
    pipfile,
    pnpm,
    poetry,
    pylock,
    requirements,
    uv,
    yarn,
)
from cleanroom.lockfile.model import LIMITS, LockfileError, Reading

Reader = Callable[[str], Reading]


def _read_yarn(text: str) -> Reading:
    """Tell yarn 1 from its successors, which share the file's name."""
    berries = text.startswith("__metadata:") or "\n__metadata:" in text
    return berry.read(text) if berries else yarn.read(text)


READERS: Final[Mapping[str, Reader]] = {
    "package-lock.json": npm.read,
    "npm-shrinkwrap.json": npm.read,
    "yarn.lock": _read_yarn,
    "pnpm-lock.yaml": pnpm.read,
    "bun.lock": bun.read,
    "requirements.txt": requirements.read,
    "poetry.lock": poetry.read,
    "pdm.lock": pdm.read,
    "uv.lock": uv.read,
    "pylock.toml": pylock.read,
    "Pipfile.lock": pipfile.read,
    "Cargo.lock": cargo.read,
    "go.sum": gosum.read,
    "mise.lock": mise.read,
}


def format_of(path: str) -> str:
    """Return the format of a file by its name; "" if it is none that is known.

    Any `*.txt` is a requirements file, `pylock.NAME.toml` a pylock.toml, `mise.NAME.lock` a
    mise.lock, `SCRIPT.py.lock` a uv.lock, `go.work.sum` a go.sum.
    """
    name = path.rsplit("/", 1)[-1]
    if name in READERS:
        return name
    if name.endswith(".txt"):
        return "requirements.txt"
    if name.startswith("pylock.") and name.endswith(".toml"):
        return "pylock.toml"
    if name.startswith("mise.") and name.endswith(".lock"):
        return "mise.lock"
    if name == "go.work.sum":
        return "go.sum"
    return "uv.lock" if name.endswith(".py.lock") else ""


def read_lockfile(name: str, text: str) -> Reading:
    """Return what a lock file of this format pins. Raises LockfileError."""
    if len(text) > LIMITS.characters:
        message = f"cannot read it: it is longer than {LIMITS.characters} characters"
        raise LockfileError(message)
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        message = "cannot read it: it is no text"
        raise LockfileError(message, text.count("\n", 0, text.index("\0")) + 1)
    reader = READERS.get(name)
    if reader is None:
        if name == "bun.lockb":
            message = "cannot read bun.lockb: it is binary; run: bun install --save-text-lockfile"
        else:
            message = f"cannot read it: its format is unknown (known: {', '.join(READERS)})"
        raise LockfileError(message)
    return reader(text)


def try_to_read(path: str, text: str) -> Reading | LockfileError:
    """Return what a file pins by its path and text, or why it cannot be read."""
    try:
        return read_lockfile(format_of(path), text)
    except LockfileError as error:
        return error
