"""How git inside has its credentials: as configuration, for the repositories alone.

In: bindings, and what stands for their secrets. Out: settings of git. Never: a value; a credential
in an address.

Git sends a field of `http.URL.extraHeader` to what lies below that URL by whole parts of its path,
and to nothing else: neither a submodule of another owner nor another host gets it.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence

from cleanroom.policy.model import GitScope, SecretBinding
from cleanroom.policy.patterns import EVERY


def git_credentials(
    bindings: Sequence[SecretBinding], placeholders: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield keys and values; `placeholders` are by the variable of each secret."""
    for binding in bindings:
        if binding.git is not None and binding.env in placeholders:
            yield from _settings(binding, binding.git, placeholders[binding.env])


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
