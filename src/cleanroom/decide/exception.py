"""Which packages a policy lets pass although they are unlocked or too young.

In: a registry's policy, its grammar, a name and version, the day. Out: the exception that speaks of
them, or none. Never: one whose day is over, or whose package URL is of another manager.
"""

from urllib.parse import unquote

from cleanroom.decide.grammar import Grammar
from cleanroom.decide.question import Artifact
from cleanroom.policy.model import RegistryException, RegistryPolicy


def exception_of(
    policy: RegistryPolicy, grammar: Grammar, name: str, version: str, today: str
) -> RegistryException | None:
    """Return what excepts this version today. One without a version excepts all of them."""
    for each in valid(policy, today):
        excepted, spelt = _read_purl(grammar, each.purl)
        if excepted == name and spelt in ("", grammar.version(version)):
            return each
    return None


def excepted_versions(policy: RegistryPolicy, grammar: Grammar, name: str, today: str) -> set[str]:
    """Return the versions of `name` that are excepted today; "" stands for all of them."""
    read = (_read_purl(grammar, each.purl) for each in valid(policy, today))
    return {version for excepted, version in read if excepted == name}


def excepted_names(policy: RegistryPolicy, grammar: Grammar, today: str) -> set[str]:
    """Return the names of which any version is excepted today."""
    return {_read_purl(grammar, each.purl)[0] for each in valid(policy, today)}


def digests_of(
    exception: RegistryException | None, policy: RegistryPolicy, question: Artifact
) -> tuple[str, ...]:
    """Return what an exception says of this file. Of a Go module it means the zip file."""
    is_side_file = policy.manager == "go" and question.file.endswith(".mod")
    if exception is None or exception.digest is None or is_side_file:
        return ()
    return (exception.digest,)


def valid(policy: RegistryPolicy, today: str) -> tuple[RegistryException, ...]:
    """Return the exceptions whose day is not over."""
    return tuple(each for each in policy.exceptions if each.expires >= today)


def _read_purl(grammar: Grammar, purl: str) -> tuple[str, str]:
    scheme, _, rest = purl.partition("/")
    if scheme != f"pkg:{grammar.purl}":
        return "", ""
    name, at, version = rest.rpartition("@")
    if not at or not name:  # none, or the one of a scope
        name, version = rest, ""
    return grammar.name(unquote(name)), grammar.version(unquote(version))
