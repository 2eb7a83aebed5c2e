"""The policy as its file says it: read and canonical value by value, not yet merged or judged.

In: nothing. Out: Policy. Never: what is enforced; that is CompiledPolicy, made by compile.py.
"""

from dataclasses import dataclass

from cleanroom.policy.model import (
    BackendPolicy,
    Labels,
    NetworkPolicy,
    RegistryPolicy,
    SandboxPolicy,
    SecretBinding,
)


@dataclass(frozen=True, slots=True)
class SandboxSection:
    """`sandbox`: its network rules in file order, and the rest."""

    network: NetworkPolicy
    rest: SandboxPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file. `path` is relative to the workspace, for messages and records."""

    path: str
    sandbox: SandboxSection
    registries: tuple[RegistryPolicy, ...]
    secrets: tuple[SecretBinding, ...]
    backends: BackendPolicy
    labels: Labels
