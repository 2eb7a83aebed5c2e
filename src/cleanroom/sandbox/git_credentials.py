"""How git inside has its credentials: as configuration in variables, for the repositories alone.

In: bindings, and what stands for their secrets. Out: variables. Never: a value; a change of a
repository's or a person's own configuration; a credential in an address.

Git sends a field of `http.URL.extraHeader` to what lies below that URL by whole parts of its path,
and to nothing else: neither a submodule of another owner nor another host gets it.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cleanroom.policy.model import GitScope, SecretBinding
from cleanroom.policy.patterns import EVERY
from cleanroom.sandbox.environment import Environment

# How the names of all of them begin.
VARIABLES: Final = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")


def git_credentials(
    bindings: Sequence[SecretBinding], placeholders: Mapping[str, str]
) -> Environment:
    """Return the variables; `placeholders` are by the variable of each secret."""
    settings = [
        setting
        for binding in bindings
        if binding.git is not None and binding.env in placeholders
        for setting in _settings(binding, binding.git, placeholders[binding.env])
    ]
    pairs = [("GIT_CONFIG_COUNT", str(len(settings)))] if settings else []
    for index, (key, value) in enumerate(settings):
        pairs += [(f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value)]
    return tuple(pairs)


def _settings(binding: SecretBinding, git: GitScope, placeholder: str) -> Iterator[tuple[str, str]]:
    token = base64.b64encode(f"{git.username}:{placeholder}".encode()).decode("ascii")
    for host in binding.allowed_hosts:
        for path in _paths(git):
            key = f"http.https://{host}/{path}.extraHeader"
            yield key, f"Authorization: Basic {token}"


def _paths(git: GitScope) -> Iterator[str]:
    for pattern in git.repositories:
        if pattern.endswith(EVERY):
            yield pattern.removesuffix(EVERY)
        else:
            yield from (pattern, f"{pattern}.git")
