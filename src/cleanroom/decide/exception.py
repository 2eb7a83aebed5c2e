"""Which packages a policy lets pass although they are unlocked or too young.

In: a registry's policy, its grammar, a name and version, the day. Out: the exception that speaks of
them, or none. Never: one whose day is over, or whose package URL is of another manager; a package
URL that is read for a request: they are read once, and all sandboxes of a gateway wait meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from cleanroom.decide.grammar import Grammar
from cleanroom.decide.question import Artifact
from cleanroom.policy.git_purl import read_git_purl
from cleanroom.policy.model import RegistryException, RegistryPolicy


@dataclass(frozen=True, slots=True)
class Excepted:
    """A registry's exceptions, each with its version or commit, by name. "": all of them."""

    by_name: Mapping[str, tuple[tuple[str, RegistryException], ...]]

    def of(self, name: str, today: str) -> list[tuple[str, RegistryException]]:
        """Return those of a package, or of a repository, whose day is not over."""
        return [pair for pair in self.by_name.get(name, ()) if pair[1].expires >= today]

    def find(self, name: str, version: str, today: str) -> RegistryException | None:
        """Return what excepts this version, in its one spelling, today."""
        for spelt, each in self.of(name, today):
            if spelt in ("", version):
                return each
        return None

    def versions(self, name: str, today: str) -> set[str]:
        """Return the versions of `name` that are excepted today; "" stands for all of them."""
        return {version for version, _ in self.of(name, today)}

    def names(self, today: str) -> set[str]:
        """Return the names of which any version is excepted today."""
        return {name for name in self.by_name if self.of(name, today)}


def index_excepted(policy: RegistryPolicy, grammar: Grammar) -> Excepted:
    """Read a registry's exceptions; to be done once."""
    found: dict[str, list[tuple[str, RegistryException]]] = {}
    for each in policy.exceptions:
        is_git = policy.manager == "git"
        read = read_git_purl(each.purl) if is_git else _read_purl(grammar, each.purl)
        if read is not None:
            found.setdefault(read[0], []).append((read[1], each))
    return Excepted({name: tuple(pairs) for name, pairs in found.items()})


def digests_of(
    exception: RegistryException | None, policy: RegistryPolicy, question: Artifact
) -> tuple[str, ...]:
    """Return what an exception says of this file. Of a Go module it means the zip file."""
    is_side_file = policy.manager == "go" and question.file.endswith(".mod")
    if exception is None or exception.digest is None or is_side_file:
        return ()
    return (exception.digest,)


def _read_purl(grammar: Grammar, purl: str) -> tuple[str, str] | None:
    scheme, _, rest = purl.partition("/")
    if scheme != f"pkg:{grammar.purl}":
        return None
    name, at, version = rest.rpartition("@")
    if not at or not name:  # none, or the one of a scope
        name, version = rest, ""
    return grammar.name(unquote(name)), grammar.version(unquote(version))
