"""Walk trees that someone hostile may have written: by descriptors, never through a link.

In: descriptors of folders, single names. Out: descriptors and facts. Never: a path of more than
one component handed to the kernel, so neither `..` nor a link can lead out (threat model I11,
I12); renames of runc's kind of race find nothing to win.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened(fd: int) -> Iterator[int]:
    """Close `fd` at the end."""
    try:
        yield fd
    finally:
        os.close(fd)


def facts_of(folder: int, name: str) -> os.stat_result | None:
    """lstat of `name` in `folder`; None if it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_folder(folder: int, name: str) -> int | None:
    """Open the folder `name`; None if it is something else, a link included."""
    try:
        return os.open(name, FOLDER, dir_fd=folder)
    except OSError:
        return None


def open_plain(folder: int, name: str) -> int | None:
    """Open the regular file `name`; None if it is something else or cannot be read."""
    try:
        fd = os.open(name, FILE, dir_fd=folder)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def read_plain(path: str, limit: int) -> bytes | None:
    """The first `limit` bytes of a regular file, its last component no link; None if it is none."""
    try:
        fd = os.open(path, FILE)
    except OSError:
        return None
    with opened(fd):
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return _read_exactly(fd, limit)


def names_in(folder: int) -> list[str]:
    """The names in an open folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def open_at(top: int, path: str) -> int | None:
    """Open the folder `path` below `top`, one component at a time; "" is `top` itself."""
    at = os.dup(top)
    for part in path.split("/") if path else ():
        inner = open_folder(at, part)
        os.close(at)
        if inner is None:
            return None
        at = inner
    return at


def split(path: str) -> tuple[str, str]:
    """The folder of `path` and its last name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def is_plain(path: str) -> bool:
    """Whether `path` is relative, without `.`, `..`, empty parts or anything of git's folder.

    `.git` in any spelling: file systems that ignore case would hand it to the host's git.
    """
    return all(
        part not in ("", ".", "..") and not is_git(part) and "\0" not in part
        for part in path.split("/")
    )


def is_git(name: str) -> bool:
    """Whether a folder of this name configures the host's git, on any file system."""
    return seen_as(name) in (".git", "git~1")


def seen_as(name: str) -> str:
    """The name that a file system may take this one for.

    Some ignore case, trailing dots and blanks, what follows a colon, or characters without width;
    and some take a backslash for the end of a folder's name.
    """
    visible = (char for char in name if unicodedata.category(char) != "Cf")
    seen = name if name.isascii() else "".join(visible)
    return seen.casefold().replace("\\", ":").partition(":")[0].rstrip(". ")


def kind_of(mode: int) -> str:
    """What a mode says: "file", "link", "folder", or "" for all that is never brought out."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "link"
    return "folder" if stat.S_ISDIR(mode) else ""


def _read_exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = os.read(fd, min(count - len(data), 1 << 20))
        if not more:
            break
        data += more
    return data
