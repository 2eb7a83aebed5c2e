"""Policies of one git host that hold it to commits.

In: pins, exceptions, a mode. Out: a compiled policy. Never: a lock file.
"""

from typing import Final

from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryException, RegistryPolicy

HOST: Final = "git.test"
A, B, C = "a" * 40, "b" * 40, "c" * 40
LOCK: Final = "package-lock.json"


def pin(commit: str = A, path: str = "team/lib", host: str = HOST) -> ArtifactPin:
    """Return what a lock file says of one commit."""
    name = f"{host}/{path}"
    return ArtifactPin(name, commit, digests=(f"git:{commit}",), source=f"{LOCK}:{ord(commit[0])}")


def git(
    *pins: ArtifactPin,
    mode: str = "deny_unknown",
    excepted: tuple[str, ...] = (),
    expires: str = "2027-12-31",
) -> RegistryPolicy:
    """Return the registry."""
    return RegistryPolicy(
        "git",
        enabled=True,
        allowed_hosts=(HOST, "other.test"),
        lockfile=LockfilePolicy(enabled=bool(mode), mode=mode or "off", lockfiles=(LOCK,)),
        exceptions=tuple(RegistryException(each, expires, "why") for each in excepted),
        artifact_allowlist=pins,
    )


def held(
    *pins: ArtifactPin, mode: str = "deny_unknown", excepted: tuple[str, ...] = ()
) -> CompiledPolicy:
    """Return a policy with that registry alone."""
    registry = git(*pins, mode=mode, excepted=excepted)
    return CompiledPolicy("sha256:0", "", registries=(registry,))
