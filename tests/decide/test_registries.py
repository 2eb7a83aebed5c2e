"""One host with several registries: each request is of one, by what its path begins with."""

import dataclasses
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.artifact import BAD_REQUEST, Grant, Refusal, decide_request
from cleanroom.decide.model import Deny
from cleanroom.decide.registries import Found, Registries, find_registry, judge_by
from cleanroom.errors import Code
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import (
    CompiledPolicy,
    GitScope,
    LockfilePolicy,
    PushRules,
    RegistryPolicy,
    SecretBinding,
)

HOST, TODAY = "packages.example", "2027-01-15"
SHA512, SHA256, ZIP = f"sha512:{'a' * 128}", f"sha256:{'b' * 64}", f"h1:{'A' * 43}="
WHEEL = "six-1.17.0-py2.py3-none-any.whl"

_LOCK = LockfilePolicy(enabled=True, lockfiles=("a.lock",))
NPM = RegistryPolicy(
    "npm",
    enabled=True,
    allowed_hosts=(f"{HOST}/api/npm",),
    lockfile=_LOCK,
    artifact_allowlist=(ArtifactPin("ms", "2.1.3", digests=(SHA512,), source="a.lock:1"),),
)
PYPI = RegistryPolicy(
    "pypi",
    enabled=True,
    allowed_hosts=(f"{HOST}/api/pypi", "files.example"),
    lockfile=LockfilePolicy(enabled=True, mode="off"),
)
CARGO = RegistryPolicy(
    "cargo",
    enabled=True,
    allowed_hosts=(f"{HOST}/api/cargo/index", f"{HOST}/api/cargo/v1"),
    lockfile=_LOCK,
    artifact_allowlist=(ArtifactPin("serde", "1.0.0", digests=(SHA256,), source="a.lock:2"),),
)
GO = RegistryPolicy(
    "go",
    enabled=True,
    allowed_hosts=(f"{HOST}/api/go.d",),
    lockfile=_LOCK,
    artifact_allowlist=(
        ArtifactPin("golang.org/x/text", "v0.3.0", "zip", digests=(ZIP,), source="a.lock:3"),
    ),
)
GIT = RegistryPolicy("git", enabled=True, allowed_hosts=(HOST,))
EVERY = (NPM, PYPI, CARGO, GO, GIT)


def made(*policies: RegistryPolicy) -> Registries:
    return judge_by(CompiledPolicy("sha256:0", "", registries=policies or EVERY)).registries


def ask(target: str, *policies: RegistryPolicy, method: str = "GET") -> Grant | Refusal:
    return decide_request(made(*policies), HOST, method, target, TODAY)


def granted(target: str, *policies: RegistryPolicy, method: str = "GET") -> Grant:
    verdict = ask(target, *policies, method=method)
    assert isinstance(verdict, Grant), verdict
    return verdict


REFS = "/team/lib.git/info/refs?service=git-upload-pack"


@pytest.mark.parametrize(
    ("target", "manager", "path", "label"),
    [
        ("/api/npm/ms", "npm", "/api/npm/ms", "ms"),
        ("/api/npm/@a/b", "npm", "/api/npm/@a%2fb", "@a/b"),
        ("/api%2fnpm/ms/-/ms-2.1.3.tgz", "npm", "/api/npm/ms/-/ms-2.1.3.tgz", "ms 2.1.3"),
        ("/api/npm/-/package/ms/dist-tags", "npm", "/api/npm/-/package/ms/dist-tags", "ms"),
        ("/api/pypi/simple/Six", "pypi", "/api/pypi/simple/six/", "six"),
        ("/api/pypi/pypi/six/json", "pypi", "/api/pypi/pypi/six/json", "six"),
        (f"/api/pypi/packages/a/{WHEEL}", "pypi", f"/api/pypi/packages/a/{WHEEL}", "six 1.17.0"),
        ("/api/cargo/index/config.json", "cargo", "/api/cargo/index/config.json", ""),
        ("/api/cargo/index/se/rd/serde", "cargo", "/api/cargo/index/se/rd/serde", "serde"),
        ("/api/cargo/v1/serde/1.0.0/download", "cargo",
         "/api/cargo/v1/serde/1.0.0/download", "serde 1.0.0"),
        ("/api/go.d/golang.org/x/text/@v/v0.3.0.zip", "go",
         "/api/go.d/golang.org/x/text/@v/v0.3.0.zip", "golang.org/x/text v0.3.0"),
        ("/api/go.d/golang.org/x/text/@v/list", "go",
         "/api/go.d/golang.org/x/text/@v/list", "golang.org/x/text"),
        (REFS, "git", REFS, "team/lib.git"),
    ],
)  # fmt: skip
def test_each_registry_has_what_lies_below_its_site(
    target: str, manager: str, path: str, label: str
) -> None:
    grant = granted(target)
    assert (grant.manager, grant.path, grant.label or "") == (manager, path, label or path)
    site = f"{HOST}{grant.prefix}"
    assert site in next(each for each in EVERY if each.manager == manager).allowed_hosts


def test_a_repository_has_its_whole_path_for_a_name() -> None:
    git = dataclasses.replace(GIT, allowed_hosts=(f"{HOST}/scm",))
    assert granted(f"/scm{REFS}", git).name == "scm/team/lib.git"
    assert granted(f"/scm{REFS}", git).prefix == "/scm"
    assert isinstance(ask(REFS, git), Refusal)


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        # A file of npm's place is npm's, whatever PyPI would think of it; and the other way round.
        ("/api/npm/six/-/six-1.17.0.tgz", Code.LOCKFILE_VIOLATION, "six 1.17.0 is not in a.lock"),
        (f"/api/npm/packages/{WHEEL}", Code.LOCKFILE_VIOLATION, "packages is not in a.lock"),
        ("/api/npm/simple/six/", Code.REGISTRY_NOT_ALLOWED, "packages are read there"),
        ("/api/cargo/v1/ms/-/ms-2.1.3.tgz", Code.REGISTRY_NOT_ALLOWED, "packages are read there"),
        ("/ms/-/ms-2.1.3.tgz", Code.REGISTRY_NOT_ALLOWED, "over git's smart HTTP"),
        ("/api/npmx/ms", Code.REGISTRY_NOT_ALLOWED, "over git's smart HTTP"),
        ("/api/npm", Code.REGISTRY_NOT_ALLOWED, "packages are read there"),
        ("/api/npm/", Code.REGISTRY_NOT_ALLOWED, "packages are read there"),
    ],
)
def test_no_path_is_of_another_registry_than_its_site_says(
    target: str, code: Code, words: str
) -> None:
    verdict = ask(target)
    assert isinstance(verdict, Refusal)
    assert verdict.deny.code == code
    assert words in verdict.deny.reason


@pytest.mark.parametrize(
    "target",
    [
        "/API/npm/ms/-/ms-9.9.9.tgz",
        "/api/NPM/ms",
        "/api/pypi/../npm/ms",
        "/api//npm/ms",
        "/api/%6epm/ms",
        "/api/npm;x/ms",
        "/api/npm\\ms",
        "/api./npm/ms",
        "/api/npm./ms/-/ms-9.9.9.tgz",
        "/api/go.d/nodots/@v/v1.0.0.zip",
        f"/api/npm/{'x' * 2048}",
    ],
)
def test_a_path_that_a_server_could_read_as_another_registrys_has_two_readings(
    target: str,
) -> None:
    verdict = ask(target)
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.deny.code) == (BAD_REQUEST, Code.PROTOCOL_NOT_ALLOWED)


def test_a_page_is_not_asked_for_by_a_spelling_that_is_another_registrys() -> None:
    """Indexes have one spelling of a project's name, whoever asks by which."""
    pypi = dataclasses.replace(PYPI, allowed_hosts=(HOST,))
    npm = dataclasses.replace(NPM, allowed_hosts=(f"{HOST}/simple/the-npm",))
    assert granted("/simple/other_npm", pypi, npm).path == "/simple/other-npm/"
    verdict = ask("/simple/the_npm", pypi, npm)
    assert isinstance(verdict, Refusal)
    assert verdict.status == BAD_REQUEST
    assert "another registry" in verdict.deny.reason


def test_a_grant_says_what_is_beside_its_registry() -> None:
    others = tuple(site for each in EVERY if each is not NPM for site in each.allowed_hosts)
    assert granted("/api/npm/ms").beside == tuple(each for each in others if HOST in each)
    assert granted("/api/npm/ms", NPM).beside == ()


def test_what_no_site_has_is_refused_and_said() -> None:
    verdict = ask("/other/ms", NPM, CARGO)
    assert isinstance(verdict, Refusal)
    assert verdict.deny == Deny(
        Code.REGISTRY_NOT_ALLOWED,
        f"of {HOST} /other/ms is of no registry: allowed_hosts has {HOST}/api/cargo/index, "
        f"{HOST}/api/cargo/v1, {HOST}/api/npm",
    )
    assert isinstance(decide_request(made(), "other.example", "GET", "/ms", TODAY), Refusal)


def test_a_push_is_judged_where_git_is() -> None:
    scope = GitScope(("team/lib",), PushRules(("main",)))
    bound = SecretBinding("forge", "TOKEN", (HOST,), git=scope)
    policy = CompiledPolicy("sha256:0", "", registries=EVERY, secrets=(bound,))
    target = "/team/lib.git/info/refs?service=git-receive-pack"
    verdict = decide_request(judge_by(policy).registries, HOST, "GET", target, TODAY)
    assert isinstance(verdict, Grant)
    assert verdict.kind == "push"


_WORDS = st.sampled_from(
    ["api", "API", "npm", "pypi", "cargo", "index", "v1", "go.d", "simple", "ms", "-", "six",
     "ms-2.1.3.tgz", WHEEL, "", ".", "..", "@v", "v0.3.0.zip", "golang.org", "info", "refs"]
)  # fmt: skip


@given(st.lists(st.one_of(_WORDS, st.text(string.printable, max_size=4)), max_size=7))
def test_a_grant_is_always_of_the_registry_that_has_its_path(parts: list[str]) -> None:
    registries = made()
    target = "/" + "/".join(parts)
    verdict = decide_request(registries, HOST, "GET", target, TODAY)
    if isinstance(verdict, Grant):
        found = find_registry(registries, HOST, verdict.path)
        assert isinstance(found, Found)
        assert (found.registry.policy.manager, found.prefix) == (verdict.manager, verdict.prefix)
        assert verdict.path.startswith(f"{verdict.prefix}/")
        # What of the strict ones is no page is pinned, whatever PyPI, which is not, has.
        if verdict.manager in ("npm", "cargo", "go"):
            assert verdict.kind == "metadata" or verdict.digests
