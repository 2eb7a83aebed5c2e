from dataclasses import replace

import pytest

from cleanroom.errors import Code
from cleanroom.lockfile.formats import READERS
from cleanroom.policy.model import ArtifactPin, LockfilePolicy, RegistryPolicy
from cleanroom.policy.suggest_packages import _ADD, RefusedPackage, advice

NPM = RegistryPolicy(
    "npm",
    enabled=True,
    allowed_hosts=("r.example",),
    lockfile=LockfilePolicy(enabled=True, lockfiles=("web/yarn.lock", "package-lock.json")),
)
WHY = "left-pad 1.3.0 is not in package-lock.json"


def refused(
    artifact: str = "left-pad 1.3.0", code: str = Code.LOCKFILE_VIOLATION
) -> RefusedPackage:
    return RefusedPackage(artifact, code, WHY)


def pinned(*pins: ArtifactPin) -> RegistryPolicy:
    return replace(NPM, artifact_allowlist=pins)


def test_a_package_is_added_to_the_lock_file_that_pins_most() -> None:
    one = ArtifactPin("ms", "2.1.3", source="package-lock.json:7")
    other = ArtifactPin("ms", "2.1.2", source="yarn.lock:7")
    assert advice(refused(), pinned(one, replace(one, version="1"), other)) == (
        f"{WHY}; if it should be: npm install --package-lock-only left-pad@1.3.0"
    )


def test_without_pins_the_first_lock_file_that_is_named_counts() -> None:
    assert advice(refused(), NPM) == f"{WHY}; if it should be: yarn add left-pad@1.3.0"
    scoped = advice(refused("@a/b 1.0.0-rc.1+x"), NPM)
    assert scoped.endswith("yarn add @a/b@1.0.0-rc.1+x")
    unknown = replace(NPM, lockfile=LockfilePolicy(enabled=True, lockfiles=("**/mise.lock",)))
    assert advice(refused(), unknown) == WHY


@pytest.mark.parametrize(
    "artifact", ["", "left-pad", "a;b 1.0", "a 1.0;b", "$(a) 1", "-x 1", "a 1.0 2;3", "a\n 1"]
)
def test_what_a_shell_would_take_for_more_than_a_word_is_no_command(artifact: str) -> None:
    assert advice(refused(artifact), NPM) == WHY


def test_what_is_pinned_by_now_is_not_said() -> None:
    assert advice(refused(), pinned(ArtifactPin("left-pad", "1.3.0"))) == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (Code.COOLDOWN_ACTIVE, "an entry of registries.npm.exceptions"),
        (Code.INTEGRITY_MISMATCH, "find out who changed it"),
        (Code.OFFLINE_MISS, "cleanroom cache warm"),
        (Code.REGISTRY_NOT_ALLOWED, "no rule allows more"),
        (Code.PUSH_NOT_ALLOWED, "in the secret's `git.push`"),
    ],
)
def test_other_refusals_have_their_own_way_out(code: Code, said: str) -> None:
    found = advice(refused(code=code), NPM)
    assert found.startswith(WHY)
    assert said in found


def test_a_refusal_without_a_way_out_is_only_its_reason() -> None:
    assert advice(refused(code=Code.UPSTREAM_UNREACHABLE), NPM) == WHY


def test_every_format_of_a_package_manager_has_its_command() -> None:
    assert set(READERS) - set(_ADD) == {"pylock.toml", "mise.lock"}
