"""What differs between package managers when a request to a registry is judged.

In: the name of a manager. Out: its Grammar. Never: a judgement; decide/artifact.py makes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from cleanroom.decide.cargo import ask_cargo, canonical_crate
from cleanroom.decide.git import ask_git
from cleanroom.decide.go import ask_go
from cleanroom.decide.npm import ask_npm
from cleanroom.decide.pypi import ask_pypi, canonical_name, canonical_version
from cleanroom.decide.question import Question
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import PURL_TYPES


def _file_of(pin: ArtifactPin) -> str:
    if pin.file or not pin.url:
        return pin.file
    return unquote(pin.url.partition("#")[0].partition("?")[0].rpartition("/")[2])


def _go_file_of(pin: ArtifactPin) -> str:
    suffix = {"zip": ".zip", "go.mod": ".mod"}.get(pin.file)
    return f"{pin.version}{suffix}" if suffix else ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How requests are read, and in which one spelling names and versions are compared.

    `file`: the file that a pin speaks of, as requests name it; "": any of its version.
    `is_open`: pages about any package may be read. A Go proxy that is asked for a module asks the
    host in the module's name, so that a name can carry data to anybody: only pinned ones are asked.
    `is_below`: paths begin where the site of the registry ends. A repository's name is all of them.
    """

    ask: Callable[[str], Question]
    purl: str  # the type of its package URLs
    name: Callable[[str], str] = str
    version: Callable[[str], str] = str
    file: Callable[[ArtifactPin], str] = _file_of
    is_open: bool = True
    is_below: bool = True


GRAMMARS: Final[Mapping[str, Grammar]] = {
    "npm": Grammar(ask_npm, PURL_TYPES["npm"]),
    "pypi": Grammar(ask_pypi, PURL_TYPES["pypi"], canonical_name, canonical_version),
    "cargo": Grammar(ask_cargo, PURL_TYPES["cargo"], canonical_crate),
    "git": Grammar(ask_git, "", is_below=False),
    "go": Grammar(ask_go, PURL_TYPES["go"], file=_go_file_of, is_open=False),
}
