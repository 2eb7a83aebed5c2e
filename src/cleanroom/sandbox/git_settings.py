"""What git inside is told in variables: credentials, and where repositories are read.

In: a compiled policy, what stands for its secrets. Out: variables. Never: a change of a
repository's or a person's own configuration.

A host of `registries.git` is there over https and not over ssh, so addresses of ssh are read as
those of https: lock files and remotes stay as they are. Where a rule opens ssh, it is ssh.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from cleanroom.decide.match import match_name
from cleanroom.decide.model import Allow
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.sites import hosts_of
from cleanroom.sandbox.environment import Environment
from cleanroom.sandbox.git_credentials import git_credentials

# How the names of all of them begin.
VARIABLES: Final = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
_SSH_PORT: Final = 22
_SSH: Final = ("ssh://git@{host}/", "git@{host}:")


def git_settings(policy: CompiledPolicy, placeholders: Mapping[str, str]) -> Environment:
    """Return the variables; `placeholders` are by the variable of each secret."""
    settings = [*git_credentials(policy.secrets, placeholders), *_addresses(policy)]
    pairs = [("GIT_CONFIG_COUNT", str(len(settings)))] if settings else []
    for index, (key, value) in enumerate(settings):
        pairs += [(f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value)]
    return tuple(pairs)


def needs_variables(policy: CompiledPolicy) -> bool:
    """Tell whether git is told anything, so that nobody else may set these variables."""
    is_bound = any(binding.git is not None for binding in policy.secrets)
    return is_bound or next(_addresses(policy), None) is not None


def _addresses(policy: CompiledPolicy) -> Iterator[tuple[str, str]]:
    for registry in policy.registries:
        if registry.manager != "git" or not registry.enabled:
            continue
        for host in hosts_of(registry.allowed_hosts):
            if not isinstance(match_name(policy, host, _SSH_PORT), Allow):
                for address in _SSH:
                    yield f"url.https://{host}/.insteadOf", address.format(host=host)
