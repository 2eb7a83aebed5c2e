"""Requests to registries of Cargo and Go; what all managers share is in test_artifact.py."""

import dataclasses

import pytest

from cleanroom.decide.artifact import Grant, Refusal, decide_request
from cleanroom.decide.registries import judge_by
from cleanroom.errors import Code
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryException, RegistryPolicy

HOST, TODAY = "packages.example", "2027-01-15"
SHA256, ZIP, MOD = "sha256:" + "b" * 64, f"h1:{'A' * 43}=", f"h1:{'B' * 43}="
TEXT = "golang.org/x/text"
GO_PINS = (
    ArtifactPin(TEXT, "v0.3.0", "zip", digests=(ZIP,), source="go.sum:1"),
    ArtifactPin(TEXT, "v0.3.0", "go.mod", digests=(MOD,), source="go.sum:2"),
    ArtifactPin("github.com/Azure/x/v2", "v2.0.0", "go.mod", digests=(MOD,), source="go.sum:3"),
)
SERDE = ArtifactPin("Serde", "1.0.0", digests=(SHA256,), source="Cargo.lock:3")


def _ask(
    manager: str, target: str, *pins: ArtifactPin, mode: str = "deny_unknown", **changes: object
) -> Grant | Refusal:
    names = {"cargo": "Cargo.lock", "go": "go.sum"}
    lockfile = LockfilePolicy(enabled=True, mode=mode, lockfiles=(names[manager],))
    registry = RegistryPolicy(manager, enabled=True, allowed_hosts=(HOST,), lockfile=lockfile)
    registry = dataclasses.replace(registry, artifact_allowlist=pins, **changes)  # type: ignore[arg-type]
    policy = CompiledPolicy("sha256:0", "", registries=(registry,))
    return decide_request(judge_by(policy).registries, HOST, "GET", target, TODAY)


def _granted(manager: str, target: str, *pins: ArtifactPin, **changes: object) -> Grant:
    verdict = _ask(manager, target, *pins, **changes)  # type: ignore[arg-type]
    assert isinstance(verdict, Grant), verdict
    return verdict


def _refused(manager: str, target: str, *pins: ArtifactPin, **changes: object) -> Refusal:
    verdict = _ask(manager, target, *pins, **changes)  # type: ignore[arg-type]
    assert isinstance(verdict, Refusal), verdict
    return verdict


@pytest.mark.parametrize(
    "target",
    ["/crates/Serde/1.0.0/download", "/api/v1/crates/serde/1.0.0/download", "/x/serde-1.0.0.crate"],
)
def test_a_crate_is_held_to_the_checksum_of_the_lock_file(target: str) -> None:
    grant = _granted("cargo", target, SERDE)
    assert (grant.label, grant.digests, grant.pin) == ("serde 1.0.0", (SHA256,), "Cargo.lock:3")


def test_a_crate_that_is_not_locked_is_refused_and_the_index_is_read() -> None:
    refusal = _refused("cargo", "/crates/serde/1.0.1/download", SERDE)
    assert refusal.deny.code is Code.LOCKFILE_VIOLATION
    assert "serde 1.0.1 is not in Cargo.lock, which pins other versions" in refusal.deny.reason
    assert _granted("cargo", "/se/rd/serde").has_versions
    assert _granted("cargo", "/config.json").name == ""
    for path in ("/api/v1/crates?q=a", "/api/v1/crates/new", "/git/index/info/refs"):
        assert _refused("cargo", path).deny.code is Code.REGISTRY_NOT_ALLOWED


def test_under_a_cooldown_a_registrys_own_page_is_read() -> None:
    assert _granted("cargo", "/config.json", cooldown_s=7).cooldown_s == 0
    assert _granted("cargo", "/se/rd/serde", cooldown_s=7).cooldown_s == 7
    assert _granted("cargo", "/x/serde-1.0.0.crate", SERDE, cooldown_s=7).cooldown_s == 7
    assert _granted("go", "/latest", cooldown_s=7).cooldown_s == 0


@pytest.mark.parametrize(("file", "digest"), [("zip", ZIP), ("mod", MOD)])
def test_a_module_and_its_go_mod_have_a_pin_each(file: str, digest: str) -> None:
    grant = _granted("go", f"/{TEXT}/@v/v0.3.0.{file}", *GO_PINS)
    assert (grant.label, grant.digests) == (f"{TEXT} v0.3.0", (digest,))
    assert (grant.strength, grant.file) == ("lockfile", f"v0.3.0.{file}")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{TEXT}/@v/v0.3.1.zip", f"{TEXT} v0.3.1 is not in go.sum, which pins other versions"),
        (f"{TEXT}/@v/v0.3.1.info", f"{TEXT} v0.3.1 is not in go.sum, which pins other versions"),
        (f"{TEXT}/v2/@v/v2.0.0.mod", f"{TEXT}/v2 v2.0.0 is not in go.sum"),
        (f"lookup/{TEXT}@v0.3.1", f"{TEXT} v0.3.1 is not in go.sum"),
        (
            "github.com/!azure/x/v2/@v/v2.0.0.zip",
            "github.com/Azure/x/v2 v2.0.0 is in go.sum, but not its file v2.0.0.zip",
        ),
        # A proxy would ask this very host, and tell it what the name says.
        ("thief.example/the-secret/@v/list", "thief.example/the-secret is not in go.sum"),
        ("thief.example/the-secret/@latest", "thief.example/the-secret is not in go.sum"),
        (f"{TEXT}/the-secret/@v/list", f"{TEXT}/the-secret is not in go.sum"),
        ("golang.org/x/te/@v/list", "golang.org/x/te is not in go.sum"),
    ],
)
def test_what_is_not_locked_is_not_asked_for(path: str, words: str) -> None:
    refusal = _refused("go", f"/{path}", *GO_PINS)
    assert refusal.deny.code is Code.LOCKFILE_VIOLATION
    assert words in refusal.deny.reason
    assert isinstance(_ask("go", f"/{path}", *GO_PINS, mode="warn"), Grant)


@pytest.mark.parametrize(
    "path",
    [
        f"{TEXT}/@v/list",
        "golang.org/x/@v/list",
        "golang.org/@latest",
        "github.com/!azure/x/@v/list",
        f"{TEXT}/@v/v0.3.0.info",
        "github.com/!azure/x/v2/@v/v2.0.0.info",
        f"sumdb/sum.golang.org/lookup/{TEXT}@v0.3.0",
        "sumdb/sum.golang.org/supported",
        "tile/8/0/001",
    ],
)
def test_what_is_locked_and_what_lies_above_it_is_asked_for(path: str) -> None:
    grant = _granted("go", f"/{path}", *GO_PINS)
    assert (grant.kind, grant.cooldown_s, grant.has_versions) == ("metadata", 0, False)


def test_an_excepted_module_is_asked_for() -> None:
    purl = "pkg:golang/other.example/A/b@v1.0.0"
    exceptions = (RegistryException(purl, TODAY, "a tool", SHA256),)
    for path in ("@v/list", "!a/@v/list", "!a/b/@v/list", "!a/b/@latest", "!a/b/@v/v1.0.0.info"):
        grant = _granted("go", f"/other.example/{path}", *GO_PINS, exceptions=exceptions)
        assert grant.kind == "metadata"
    for path in ("other.example/!a/b/c/@v/list", "other.example/!a/b/@v/v1.0.1.info"):
        _refused("go", f"/{path}", *GO_PINS, exceptions=exceptions)
    files = [
        _granted("go", f"/other.example/!a/b/@v/v1.0.0.{kind}", exceptions=exceptions)
        for kind in ("zip", "mod")
    ]
    assert [file.digests for file in files] == [(SHA256,), ()]
    assert {file.strength for file in files} == {"exception"}


def test_under_a_cooldown_a_version_by_its_name_is_asked_for_and_lists_are_not() -> None:
    assert _granted("go", f"/{TEXT}/@v/v0.3.0.info", *GO_PINS, cooldown_s=7).cooldown_s == 0
    assert _granted("go", f"/{TEXT}/@v/v0.3.0.zip", *GO_PINS, cooldown_s=7).cooldown_s == 7
    for path in ("@v/list", "@latest"):
        refusal = _refused("go", f"/{TEXT}/{path}", *GO_PINS, cooldown_s=7)
        assert refusal.deny.code is Code.COOLDOWN_ACTIVE


def test_a_tool_that_is_known_by_its_version_only_is_held_to_what_is_seen_first() -> None:
    tool = ArtifactPin("golang.org/x/tools", "v0.30.0", strength="first-seen")
    grant = _granted("go", "/golang.org/x/tools/@v/v0.30.0.zip", tool)
    assert (grant.strength, grant.digests) == ("first-seen", ())
