"""Everything wrong with one file, collected in one pass, each with its place.

In: places and sentences. Out: Problem, and the one exception that carries them all.
Never: more than a bounded number of problems, or unbounded or unescaped text of the file.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.errors import Code, UserError
from cleanroom.policy.model import Place

MAX_PROBLEMS = 50
QUOTED_CHARACTERS = 40
START = Place(1, 1)

_KEY_LIKE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to repair. Lines and columns start at 1; `message` begins with "cannot"."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """`cleanroom.yaml:7:11: cannot allow '*': a wildcard needs a domain below it`."""
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class FileErrors(UserError):  # noqa: N818 -- it carries several
    """A configuration file is wrong; `problems` holds every problem found, in file order.

    The message of several is one line that counts them and shows the first.
    """

    def __init__(self, code: Code, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: (each.line, each.column)))
        first, *more = self.problems
        message = f"cannot use {first.path}: {len(self.problems)} problems, the first is {first}"
        super().__init__(code, message if more else str(first), "" if more else first.hint)


class PolicyErrors(FileErrors):
    """The policy file is wrong: `policy_invalid`, or `policy_conflict` if it contradicts itself."""

    def __init__(self, problems: Iterable[Problem], code: Code = Code.POLICY_INVALID) -> None:
        super().__init__(code, problems)


class TooManyProblemsError(Exception):
    """The collector is full: whoever walks the file stops, and reports what was found."""


class Problems:
    """Collects the problems of the file called `path`, at most MAX_PROBLEMS of them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: list[Problem] = []

    def add(self, place: Place, message: str, hint: str = "") -> None:
        """Note one problem. Raises TooManyProblemsError when it was the last that fits."""
        self._found.append(Problem(self._path, place.line, place.column, message, hint))
        if len(self._found) >= MAX_PROBLEMS:
            raise TooManyProblemsError

    def close(self) -> None:
        """Say that more may be wrong than is listed."""
        last = self._found[-1]
        rest = f"cannot list more than {MAX_PROBLEMS} problems: the rest of the file was not read"
        self._found.append(Problem(self._path, last.line, last.column, rest))

    @property
    def found(self) -> tuple[Problem, ...]:
        """What was noted so far, in the order it was found."""
        return tuple(self._found)


def quoted(text: str) -> str:
    """Text of a file as a message may show it: escaped and short."""
    short = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "…"
    return ascii(short) if not short.isprintable() else f"'{short}'"


def quoted_key(text: str) -> str:
    """Return a key as a message may show it: its text only if it looks like a key.

    A file that is no policy at all (a link to a password file) is not quoted by its errors.
    """
    return f"key '{text}'" if _KEY_LIKE.fullmatch(text) else "this key"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word closest to `word`, or all of them if few."""
    words = list(known)
    if len(word) <= QUOTED_CHARACTERS:
        parts = [each for each in words if word.lower() in each.split("_")]  # hosts: allowed_hosts
        close = parts or difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
        if close:
            return f"did you mean '{close[0]}'?"
    return f"known here: {', '.join(words)}"
