"""What a request to a registry asks for, whichever registry it is.

In: nothing. Out: the closed union Question, and the one reading of a request's path.
Never: a path that two readers could understand differently: it becomes Unsound, answered with 400.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_PATH: Final = 2048  # characters
MAX_NAME: Final = 214  # npm's own limit; PyPI's names are shorter
MAX_VERSION: Final = 256

# How package files end, whichever manager's: nothing else at a registry does.
PACKAGES: Final = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar", ".zip", ".whl", ".crate")

_PLAIN: Final = re.compile(r"/[\x21-\x24\x26-\x7e]*")  # printable ASCII without `%`
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
# The escapes that clients of registries write for these very characters; any other is refused.
_ESCAPES: Final = {"2f": "/", "40": "@", "2b": "+", "21": "!", "7e": "~"}
_FORBIDDEN: Final = frozenset('\\;"<>^`{|}#')


@dataclass(frozen=True, slots=True)
class Metadata:
    """A page about a package. `versions`: it is the one that lists them with their dates.

    `of_file`: it belongs to one file, or to the one `version`, and says nothing of others.
    `of_registry`: it is about the registry itself, and names no package.
    """

    name: str
    path: str
    versions: bool = True
    of_file: bool = False
    version: str = ""
    of_registry: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """One package file. The name is canonical, the version as the file's name has it."""

    name: str
    version: str
    file: str
    path: str


@dataclass(frozen=True, slots=True)
class Service:
    """Anything else that a registry offers: search, audit, publish, login, its list of names.

    `why`: it is refused whatever the policy says, and this is the reason, part of a sentence.
    """

    path: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """What is asked of a repository stands in the request's body."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Push:
    """A step of a push to a repository: its branches by GET, what is pushed by POST."""

    name: str
    path: str  # with its query
    method: str


@dataclass(frozen=True, slots=True)
class Unsound:
    """No question: the path has more than one reading. `why` is part of a sentence."""

    why: str


Sound = Metadata | Artifact | Talk | Push | Service
Question = Sound | Unsound


def read_path(target: str) -> str | Unsound:
    """Return the one reading of a request's target: no query, no escapes, no dots.

    The query is dropped: registries answer the same bytes without it, and it would split the cache.
    """
    path = target.partition("?")[0]
    if len(path) > MAX_PATH:
        return Unsound(f"its path is longer than {MAX_PATH} characters")
    decoded = _ESCAPE.sub(_unescape, path)
    if not _PLAIN.fullmatch(decoded):
        return Unsound("its path has an escape or a character that no package's path needs")
    if not _FORBIDDEN.isdisjoint(decoded):
        return Unsound("its path has a character that no package's path needs")
    parts = decoded[1:].split("/")
    if any(part in {"", ".", ".."} for part in parts[:-1]) or parts[-1] in {".", ".."}:
        return Unsound("its path has an empty part or dots")
    return decoded


def _unescape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1].lower(), "%")  # what is left of `%` is refused
