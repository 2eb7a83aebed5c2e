from dataclasses import replace

import pytest
from msgspec import structs

from cleanroom.decide.exception import index_excepted
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.errors import Code
from cleanroom.lockfile.formats import READERS
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.git_purl import exception_for
from cleanroom.policy.model import LockfilePolicy, RegistryPolicy
from cleanroom.policy.suggest_packages import _ADD, RefusedPackage, advice
from tests.policy.reading import compiled

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
    assert advice(refused(), pinned(one, structs.replace(one, version="1"), other)) == (
        f"{WHY}; if it should be: npm install --package-lock-only left-pad@1.3.0"
    )


def test_of_lock_files_that_pin_as_much_the_first_counts() -> None:
    pins = (ArtifactPin("ms", "2.1.3", source=f"{each}/package-lock.json:7") for each in "abcdef")
    yarn = ArtifactPin("ms", "2.1.2", digests=("sha512:00",), source="yarn.lock:7")
    assert advice(refused(), pinned(yarn, *pins)).endswith(
        "yarn add --ignore-scripts left-pad@1.3.0"
    )


def test_without_pins_the_first_lock_file_that_is_named_counts() -> None:
    assert (
        advice(refused(), NPM)
        == f"{WHY}; if it should be: yarn add --ignore-scripts left-pad@1.3.0"
    )
    scoped = advice(refused("@a/b 1.0.0-rc.1+x"), NPM)
    assert scoped.endswith("yarn add --ignore-scripts @a/b@1.0.0-rc.1+x")
    unknown = replace(NPM, lockfile=LockfilePolicy(enabled=True, lockfiles=("**/mise.lock",)))
    assert advice(refused(), unknown) == WHY


@pytest.mark.parametrize(
    ("digests", "flag"), [(("sha512:00",), "--ignore-scripts"), ((), "--mode=update-lockfile")]
)
def test_each_yarn_has_its_way_to_lock_without_running_scripts(
    digests: tuple[str, ...], flag: str
) -> None:
    pin = ArtifactPin("ms", "2.1.3", digests=digests, source="web/yarn.lock:7")
    assert advice(refused(), pinned(pin)).endswith(f"should be: yarn add {flag} left-pad@1.3.0")


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
        (Code.COOLDOWN_ACTIVE, "pkg:npm/left-pad@1.3.0"),
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


@pytest.mark.parametrize(
    ("manager", "artifact", "purl"),
    [
        ("npm", "@a/b 1.0.0-rc.1+x", "pkg:npm/%40a/b@1.0.0-rc.1%2Bx"),
        ("pypi", "some-pkg 1!2.0", "pkg:pypi/some-pkg@1%212.0"),
        ("cargo", "left_pad 1.0.1", "pkg:cargo/left_pad@1.0.1"),
        ("go", "mods.example/Lib v1.0.0", "pkg:golang/mods.example/Lib@v1.0.0"),
    ],
)
def test_what_is_too_young_is_named_as_an_exception_names_it(
    manager: str, artifact: str, purl: str
) -> None:
    said = advice(refused(artifact, Code.COOLDOWN_ACTIVE), replace(NPM, manager=manager))
    begin, _, entry = said.partition("exceptions: ")
    assert begin == f"{WHY}; it may pass with registries.{manager}."
    written = entry.replace("YYYY-MM-DD", "2099-01-31")
    policy = compiled(
        f"version: 1\nregistries: {{{manager}: {{enable: true, allowed_hosts: [r.example], "
        f"exceptions: {written}}}}}\n"
    ).registries[0]
    assert policy.exceptions[0].purl == purl
    name, _, version = artifact.rpartition(" ")
    grammar = GRAMMARS[manager]
    assert index_excepted(policy, grammar).find(name, grammar.version(version), "2027-01-15")


def test_an_exception_for_what_is_no_word_is_not_written_out() -> None:
    said = advice(refused("a;b 1.0", Code.COOLDOWN_ACTIVE), NPM)
    assert said.endswith("an entry of registries.npm.exceptions, which says until when")


def test_a_refusal_without_a_way_out_is_only_its_reason() -> None:
    assert advice(refused(code=Code.UPSTREAM_UNREACHABLE), NPM) == WHY


def test_every_format_of_a_package_manager_has_its_command() -> None:
    assert set(READERS) - set(_ADD) == {"pylock.toml", "mise.lock"}


def test_a_repository_is_an_exception_by_its_commit() -> None:
    git = RegistryPolicy("git", enabled=True, allowed_hosts=("code.example",))
    why = "team/lib.git abababababab is not in Cargo.lock"
    told = RefusedPackage("team/lib.git abababababab", Code.LOCKFILE_VIOLATION, why)
    assert advice(told, git) == (
        f"{why}; if it should be: name its commit in a lock file, or in registries.git.exceptions "
        "as pkg:generic/NAME?vcs_url=git+https://HOST/PATH@COMMIT"
    )
    other = ArtifactPin("code.example/team/lib", "cd" * 20)
    assert advice(told, replace(git, artifact_allowlist=(other,))).startswith(why)
    now = ArtifactPin("code.example/team/lib", "ab" * 20)
    assert advice(told, replace(git, artifact_allowlist=(other, now))) == ""
    large = (
        f"g.example sent a pack too large; let all of it pass: {exception_for('g.example', 'x')}"
    )
    told = replace(told, reason=large)
    assert advice(told, replace(git, artifact_allowlist=(now,))) == large
