import dataclasses

import pytest
from msgspec import structs

from cleanroom.decide.artifact import (
    Grant,
    Refusal,
    decide_request,
    warns_of,
)
from cleanroom.decide.registries import Registries, judge_by
from cleanroom.errors import Code
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import (
    CompiledPolicy,
    LockfilePolicy,
    RegistryException,
    RegistryPolicy,
    UnpinnedArtifact,
)

NPM, INDEX, FILES = "npm.example", "index.example", "files.example"
TODAY = "2027-01-15"
SHA512, SHA256, SHA1 = "sha512:" + "a" * 128, "sha256:" + "b" * 64, "sha1:" + "c" * 40


def _policy(*pins: ArtifactPin, manager: str = "npm", **changes: object) -> CompiledPolicy:
    lockfile = LockfilePolicy(enabled=True, lockfiles=("package-lock.json",))
    hosts = (NPM,) if manager == "npm" else (INDEX, FILES)
    npm = RegistryPolicy(manager, enabled=True, allowed_hosts=hosts, lockfile=lockfile)
    npm = dataclasses.replace(npm, artifact_allowlist=pins, **changes)  # type: ignore[arg-type]
    off = RegistryPolicy("cargo", enabled=False, allowed_hosts=("crates.example",))
    return CompiledPolicy("sha256:0", "", registries=(npm, off))


def _registries(*pins: ArtifactPin, manager: str = "npm", **changes: object) -> Registries:
    return judge_by(_policy(*pins, manager=manager, **changes)).registries


def _granted(registries: Registries, target: str, host: str = NPM, today: str = TODAY) -> Grant:
    verdict = decide_request(registries, host, "GET", target, today)
    assert isinstance(verdict, Grant), verdict
    return verdict


def _refused(registries: Registries, target: str, host: str = NPM, method: str = "GET") -> Refusal:
    verdict = decide_request(registries, host, method, target, TODAY)
    assert isinstance(verdict, Refusal), verdict
    return verdict


MS = ArtifactPin("ms", "2.1.3", digests=(SHA512,), source="package-lock.json:12")


def test_a_pinned_artifact_is_granted_with_its_digest() -> None:
    grant = _granted(_registries(MS), "/ms/-/ms-2.1.3.tgz")
    assert grant == Grant(
        "npm", "artifact", "/ms/-/ms-2.1.3.tgz", "ms", "2.1.3", "ms-2.1.3.tgz",
        (SHA512,), "lockfile", "package-lock.json:12", sites=(NPM,),
    )  # fmt: skip
    assert grant.label == "ms 2.1.3"


def test_metadata_is_always_readable() -> None:
    grant = _granted(_registries(), "/@types%2fnode")
    assert (grant.kind, grant.name, grant.has_versions) == ("metadata", "@types/node", True)
    assert _granted(_registries(), "/ms/latest").has_versions is False


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/left-pad/-/left-pad-1.3.0.tgz", "left-pad 1.3.0 is not in package-lock.json"),
        ("/ms/-/ms-2.1.4.tgz", "ms 2.1.4 is not in package-lock.json, which pins other versions"),
        ("/ms/-/ms-latest.tgz", "ms latest is not in package-lock.json, which pins other versions"),
        ("/ms/-/evil.tgz", "ms is not in package-lock.json"),
        ("/git/-/git-1.0.0.tgz", "git 1.0.0 is not pinned by package-lock.json: it is a git"),
    ],
)
def test_an_artifact_that_is_not_pinned_is_refused(target: str, words: str) -> None:
    unpinned = (UnpinnedArtifact("git", "1.0.0", "it is a git dependency", "package-lock.json:3"),)
    refusal = _refused(_registries(MS, unpinned=unpinned), target)
    assert refusal.status == 403
    assert refusal.deny.code is Code.LOCKFILE_VIOLATION
    assert words in refusal.deny.reason


def test_a_pin_without_a_digest_that_is_not_held_to_the_first_seen_is_refused() -> None:
    refusal = _refused(_registries(ArtifactPin("ms", "2.1.3")), "/ms/-/ms-2.1.3.tgz")
    assert "no digest" in refusal.deny.reason
    seen = _registries(ArtifactPin("ms", "2.1.3", strength="first-seen"))
    assert _granted(seen, "/ms/-/ms-2.1.3.tgz").strength == "first-seen"


def test_the_strongest_algorithm_counts_and_the_weaker_are_not_enough() -> None:
    pins = [
        ArtifactPin("ms", "2.1.3", digests=(SHA512, SHA1)),
        ArtifactPin("ms", "2.1.3", digests=(SHA256, "md5:00")),
    ]
    assert _granted(_registries(*pins), "/ms/-/ms-2.1.3.tgz").digests == (SHA512,)
    only = _registries(ArtifactPin("ms", "2.1.3", digests=(SHA1,)))
    assert _granted(only, "/ms/-/ms-2.1.3.tgz").digests == (SHA1,)
    unknown = _registries(ArtifactPin("ms", "2.1.3", digests=("md5:00",)))
    _refused(unknown, "/ms/-/ms-2.1.3.tgz")


def test_a_pin_that_names_its_file_is_no_pin_of_another() -> None:
    wheel = "a-1.0-py3-none-any.whl"
    pins = [
        ArtifactPin("a", "1.0", file=wheel, digests=(SHA256,)),
        ArtifactPin("B", "2.0", url=f"https://{FILES}/x/b-2.0.tar.gz?y#z", digests=(SHA256,)),
        ArtifactPin("c", "1.0", digests=(SHA256,)),
    ]
    pypi = _registries(*pins, manager="pypi")
    assert _granted(pypi, f"/packages/{wheel}", FILES).digests == (SHA256,)
    _refused(pypi, "/packages/a-1.0.tar.gz", FILES)
    assert _granted(pypi, "/packages/b-2.0.tar.gz", FILES).name == "b"
    assert _granted(pypi, "/packages/C-1.0.0.tar.gz", FILES).version == "1.0.0"


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("target", ["/ms", "/ms/-/ms-2.1.3.tgz", "/-/user/org.couchdb.user:me"])
@pytest.mark.parametrize("read_only", [True, False])
def test_nothing_is_written(method: str, target: str, *, read_only: bool) -> None:
    refusal = _refused(_registries(MS, read_only=read_only), target, method=method)
    assert refusal.deny.code is Code.REGISTRY_NOT_ALLOWED
    assert method in refusal.deny.reason


def test_other_services_need_read_only_false() -> None:
    assert _refused(_registries(), "/-/v1/search?text=a").deny.code is Code.REGISTRY_NOT_ALLOWED
    grant = _granted(_registries(read_only=False), "/-/v1/search?text=a")
    assert (grant.kind, grant.label) == ("service", "/-/v1/search")


@pytest.mark.parametrize(
    "target",
    ["/ms/download/evil-9.tgz", "/ms/-/@x/evil-9.tgz", "/a/b/c/evil.TAR.GZ?x=1", "/.x/evil-9.whl"],
)
def test_a_file_at_a_place_that_cannot_be_read_is_no_service(target: str) -> None:
    held = _registries(MS, read_only=False)
    assert _refused(held, target).deny.code is Code.REGISTRY_NOT_ALLOWED
    free = _registries(read_only=False, lockfile=LockfilePolicy(enabled=False))
    assert _granted(free, target).kind == "service"


def test_an_ambiguous_path_is_a_bad_request() -> None:
    refusal = _refused(_registries(), "/a/..;/b")
    assert refusal.status == 400
    assert refusal.deny.code is Code.PROTOCOL_NOT_ALLOWED


def test_a_host_of_no_enabled_registry_has_nothing() -> None:
    pin = ArtifactPin(
        "ms", "2.1.3", url="https://other.example/ms/-/ms-2.1.3.tgz", digests=(SHA512,)
    )
    refusal = _refused(_registries(pin), "/ms/-/ms-2.1.3.tgz", "other.example")
    assert refusal.deny.code is Code.REGISTRY_NOT_ALLOWED
    _refused(_registries(), "/ms", "crates.example")


@pytest.mark.parametrize(
    ("lockfile", "warned"),
    [
        (LockfilePolicy(enabled=True, mode="warn", lockfiles=("a.lock",)), True),
        (LockfilePolicy(enabled=True, mode="off"), False),
        (LockfilePolicy(enabled=False), False),
    ],
)
def test_other_modes_let_it_pass_and_one_says_so(lockfile: LockfilePolicy, *, warned: bool) -> None:
    registries = _registries(MS, lockfile=lockfile)
    grant = _granted(registries, "/left-pad/-/left-pad-1.3.0.tgz")
    assert (grant.strength, grant.digests) == ("unlocked", ())
    assert bool(warns_of(registries[NPM][""], grant)) is warned


def test_under_warn_a_pin_still_holds() -> None:
    lockfile = LockfilePolicy(enabled=True, mode="warn", lockfiles=("a.lock",))
    registries = _registries(MS, lockfile=lockfile)
    grant = _granted(registries, "/ms/-/ms-2.1.3.tgz")
    assert grant.digests == (SHA512,)
    assert warns_of(registries[NPM][""], grant) == ""


def _exception(purl: str, expires: str = TODAY, digest: str | None = None) -> RegistryException:
    return RegistryException(purl, expires, "build requirement", digest)


def test_an_exception_lets_through_until_its_day_is_over() -> None:
    registries = _registries(exceptions=(_exception("pkg:npm/%40a/b@1.0.0", digest=SHA256),))
    grant = _granted(registries, "/@a/b/-/b-1.0.0.tgz")
    assert (grant.strength, grant.digests) == ("exception", (SHA256,))
    assert grant.pin == "exceptions: pkg:npm/%40a/b@1.0.0"
    late = decide_request(registries, NPM, "GET", "/@a/b/-/b-1.0.0.tgz", "2027-01-16")
    assert isinstance(late, Refusal)
    _refused(registries, "/@a/b/-/b-1.0.1.tgz")


def test_an_exception_without_a_hash_never_loosens_a_pin() -> None:
    registries = _registries(MS, exceptions=(_exception("pkg:npm/ms"),))
    assert _granted(registries, "/ms/-/ms-2.1.3.tgz").digests == (SHA512,)
    other = _granted(registries, "/ms/-/ms-2.2.0.tgz")
    assert (other.strength, other.digests) == ("exception", ())


def test_an_exception_of_another_manager_is_none() -> None:
    registries = _registries(exceptions=(_exception("pkg:pypi/ms"),))
    _refused(registries, "/ms/-/ms-2.1.3.tgz")


def test_a_pin_is_no_exception_from_the_cooldown() -> None:
    cooling = _registries(MS, cooldown_s=7)
    assert _granted(cooling, "/ms/-/ms-2.1.3.tgz").cooldown_s == 7
    assert _granted(cooling, "/ms").cooldown_s == 7
    excepted = _registries(
        MS, cooldown_s=7, exceptions=(_exception("pkg:npm/@a/b"), _exception("pkg:npm/ms@2.1.3"))
    )
    assert _granted(excepted, "/ms/-/ms-2.1.3.tgz").cooldown_s == 0
    assert _granted(excepted, "/ms").excepted == ("2.1.3",)
    assert _granted(excepted, "/@a%2fb").cooldown_s == 0


def test_an_exceptions_version_is_read_as_pypi_reads_it() -> None:
    registries = _registries(manager="pypi", exceptions=(_exception("pkg:pypi/Set_uptools@1.0.0"),))
    assert (
        _granted(registries, "/p/set_uptools-1.0-py3-none-any.whl", FILES).strength == "exception"
    )


def test_under_a_cooldown_a_page_without_dates_is_refused() -> None:
    cooling = _registries(MS, cooldown_s=7)
    assert _refused(cooling, "/ms/latest").deny.code is Code.COOLDOWN_ACTIVE
    assert _refused(cooling, "/-/package/ms/dist-tags").deny.code is Code.COOLDOWN_ACTIVE
    pypi = _registries(manager="pypi", cooldown_s=7)
    assert _refused(pypi, "/pypi/six/json", INDEX).deny.code is Code.COOLDOWN_ACTIVE
    of_file = _granted(pypi, "/p/six-1.0-py3-none-any.whl.metadata", FILES)
    assert (of_file.kind, of_file.cooldown_s) == ("metadata", 0)


def test_equal_pins_are_known_by_their_digest_wherever_they_stand() -> None:
    def pins(*found: ArtifactPin) -> tuple[tuple[str, str], ...]:
        return judge_by(_policy(*found)).pins(NPM)

    moved = structs.replace(MS, source="package-lock.json:13")
    weaker = structs.replace(MS, digests=(SHA256,))
    assert pins(MS) == pins(moved) != ()
    assert len({pins(), pins(MS), pins(weaker), pins(MS, weaker)}) == 4
    assert judge_by(_policy(MS)).pins("other.example") == ()
