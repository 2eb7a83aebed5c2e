"""Reading the small configuration files of the user, as far as they can be read.

In: a path. Out: its text. Never: an error for a file that is absent, odd or too large; a wait on
a FIFO.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH123
import os
import stat
from collections.abc import Iterable
from typing import Final

SMALL: Final = 64 * 1024


def read_small(path: str) -> str:
    """Return the text of a regular file of at most 64 KiB; "" if it is anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > SMALL:
            return ""
        return os.read(descriptor, SMALL).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def first_value(values: Iterable[str]) -> str:
    """Return the first value that is not empty, "" for none. Reads no further than that."""
    return next(filter(None, values), "")


def read_limited(path: str, limit: int) -> str:
    """Return the text of a file the person named; a pipe is fine there.

    Raises OSError, or ValueError if it is longer than `limit` bytes or not UTF-8.
    """
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        message = f"it is longer than {limit} bytes"
        raise ValueError(message)
    return data.decode()
