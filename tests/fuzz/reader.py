"""One reader of hostile bytes, as the table of all of them has it.

In: bytes that are right, what reads them, what that may raise. Out: Reader. Never: a format.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Read = Callable[[bytes, Random], None]


@dataclass(frozen=True)
class Reader:
    """One reader: bytes that are right, what reads them, what it may raise."""

    right: tuple[bytes, ...]
    read: Read
    declared: tuple[type[Exception], ...] = ()
