"""A host with several registries answers each client in its own words."""

from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.model import Deny
from cleanroom.decide.registries import judge_by
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.visit import Visit
from cleanroom.policy.model import LockfilePolicy, RegistryPolicy
from tests.decide.policies import policy

HOST = "packages.test"
WARN = LockfilePolicy(enabled=True, mode="warn", lockfiles=("a.lock",))
NPM = RegistryPolicy("npm", enabled=True, allowed_hosts=(f"{HOST}/npm",), lockfile=WARN)
GO = RegistryPolicy("go", enabled=True, allowed_hosts=(f"{HOST}/go",))
CARGO = RegistryPolicy("cargo", enabled=True, allowed_hosts=(f"{HOST}/cargo",))
GIT = RegistryPolicy("git", enabled=True, allowed_hosts=(HOST,))
DENY = Deny(Code.REGISTRY_NOT_ALLOWED, "no")


def visit(*registries: RegistryPolicy) -> Visit:
    judged_by = replace(policy(), registries=registries)
    return Visit("sbx_1", judged_by, judge_by(judged_by).registries, lambda: "2027-01-15")


EVERY = visit(NPM, GO, CARGO, GIT)


def denied(target: str, method: str = "GET", deny: Deny = DENY, by: Visit = EVERY) -> bytes:
    request = parse_request(f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    return by.denial(HOST, request, deny, 403)


@pytest.mark.parametrize(
    ("target", "manager", "words"),
    [
        ("/npm/ms", "npm", b"application/problem+json"),
        ("/go/a.b/@v/list", "go", b"text/plain"),
        ("/cargo/config.json", "cargo", b'{"errors"'),
        ("/team/lib", "git", b"text/plain"),
        ("/NPM/ms", "", b"application/problem+json"),
        ("/%zz", "", b"application/problem+json"),
    ],
)
def test_each_registry_refuses_as_its_clients_show_it(
    target: str, manager: str, words: bytes
) -> None:
    assert EVERY.manager(HOST, target) == manager
    assert words in denied(target)


def test_what_no_registry_has_is_refused_as_all_of_the_hosts_would() -> None:
    only = visit(replace(GIT, allowed_hosts=(f"{HOST}/scm", f"{HOST}/git")))
    assert only.manager(HOST, "/other") == "git"
    assert only.manager(HOST, "") == "git"
    assert b"text/plain" in denied("/other", by=only)
    assert visit(NPM, GO).manager(HOST, "/other") == ""
    assert EVERY.manager("other.test", "/npm/ms") == ""
    assert b"application/problem+json" in EVERY.denial(HOST, None, DENY, 400)


@pytest.mark.parametrize(
    "code",
    [
        Code.LOCKFILE_VIOLATION,
        Code.INTEGRITY_MISMATCH,
        Code.OFFLINE_MISS,
    ],
)
def test_only_a_fetch_of_git_is_refused_in_gits_protocol(code: Code) -> None:
    violation = Deny(code, "no")
    assert b"git-upload-pack-result" not in denied("/lib/git-upload-pack", "POST")
    assert b"git-upload-pack-result" in denied("/lib/git-upload-pack", "POST", violation)
    assert b"git-upload-pack-result" not in denied("/npm/git-upload-pack", "POST", violation)


def test_the_warning_is_that_of_the_registry_which_has_it() -> None:
    file = Grant("npm", "artifact", "/npm/ms/-/ms-1.0.0.tgz", "ms", "1.0.0", strength="unlocked")
    assert EVERY.warning(HOST, file) == "ms 1.0.0 is not in a.lock; mode: warn lets it pass"
    assert EVERY.warning(HOST, replace(file, path="/team/x")) == ""
    assert EVERY.warning("other.test", file) == ""
