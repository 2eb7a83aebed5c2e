import json

import pytest

from cleanroom.lockfile.digests import without_weak
from cleanroom.lockfile.formats import try_to_read
from cleanroom.policy import pins
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.compile import compile_policy
from cleanroom.policy.model import UnpinnedArtifact
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.pins import Pinned, lock_patterns
from cleanroom.policy.pins import pin_policy as pin
from cleanroom.policy.problems import PolicyErrors
from cleanroom.policy.written import Policy
from tests.lockfile.reading import SRI, A

LOCK = "package-lock.json"


def policy(manager: str = "npm", files: str = LOCK, more: str = "") -> Policy:
    text = f"""\
version: 1
registries:
  {manager}:
    enable: true
    allowed_hosts: [r.example]
    lockfile_enforcement: {{enabled: true, lockfiles: [{files}]{more}}}
"""
    return parse_policy(text, "cleanroom.yaml")


def npm_lock(**packages: dict[str, object]) -> str:
    entries = {f"node_modules/{name}": entry for name, entry in packages.items()}
    return json.dumps({"lockfileVersion": 3, "packages": entries}, indent=1)


def entry(**fields: object) -> dict[str, object]:
    return {"version": "1.0.0", "integrity": SRI, **fields}


def allowed(pinned: Pinned) -> tuple[ArtifactPin, ...]:
    return compile_policy(pinned.policy).registries[0].artifact_allowlist


def pin_policy(written: Policy, texts: dict[str, str]) -> Pinned:
    return pin(written, {path: try_to_read(path, text) for path, text in texts.items()})


def refused(written: Policy, texts: dict[str, str]) -> list[str]:
    with pytest.raises(PolicyErrors) as errors:
        pin_policy(written, texts)
    return [str(each) for each in errors.value.problems]


def test_a_pin_knows_its_file_and_line() -> None:
    pinned = pin_policy(policy(), {LOCK: npm_lock(ms=entry())})
    [pin] = allowed(pinned)
    assert (pin.name, pin.version, pin.source, pin.strength) == (
        "ms", "1.0.0", f"{LOCK}:4", "lockfile",
    )  # fmt: skip
    assert pin.digests[0].startswith("sha512:")
    assert pinned.notes == ()


def test_files_of_a_glob_are_joined_and_their_order_does_not_matter() -> None:
    written = policy(files="'**/package-lock.json'")
    one = {"a/package-lock.json": npm_lock(ms=entry()), LOCK: npm_lock(b=entry())}
    other = dict(reversed(one.items()))
    first, second = (compile_policy(pin_policy(written, each).policy) for each in (one, other))
    assert first == second
    assert [pin.name for pin in first.registries[0].artifact_allowlist] == ["b", "ms"]
    assert lock_patterns(written) == ("**/package-lock.json",)


def test_of_one_artifact_the_strong_digests_of_all_files_count() -> None:
    weak = "sha1-" + "A" * 27 + "="
    other = "sha512-" + "A" * 86 + "=="
    texts = {
        "a/package-lock.json": npm_lock(ms=entry(integrity=weak)),
        "b/package-lock.json": npm_lock(ms=entry()),
        "c/package-lock.json": npm_lock(ms=entry(integrity=other)),
    }
    [pin] = allowed(pin_policy(policy(files="'*/package-lock.json'"), texts))
    assert [digest[:7] for digest in pin.digests] == ["sha512:", "sha512:"]
    assert pin.source == "a/package-lock.json:4"


def test_what_cannot_be_pinned_is_kept_with_its_reason_unless_nothing_is_fetched() -> None:
    text = npm_lock(ms=entry(integrity=""), b=entry(link=True), c=entry())
    [registry] = pin_policy(policy(), {LOCK: text}).policy.registries
    reason = "the lock file has no usable digest of it"
    assert registry.unpinned == (UnpinnedArtifact("ms", "1.0.0", reason, f"{LOCK}:4"),)


def test_a_tarball_of_a_host_that_only_the_lock_file_names_is_not_pinned() -> None:
    text = npm_lock(
        ms=entry(resolved="https://evil.example/ms.tgz"),
        own=entry(resolved="https://r.example/own.tgz"),
        mirrored=entry(resolved="https://m.example/mirrored/-/mirrored-1.0.0.tgz"),
    )
    [registry] = pin_policy(policy(), {LOCK: text}).policy.registries
    assert [pin.name for pin in registry.artifact_allowlist] == ["mirrored", "own"]
    assert [(each.name, each.source) for each in registry.unpinned] == [("ms", f"{LOCK}:4")]


def test_commits_are_pins_of_git_at_hosts_that_the_policy_names() -> None:
    commit = "ab" * 20
    packages: dict[str, dict[str, object]] = {
        "one": {"version": "1.0.0", "resolved": f"git+ssh://git@r.example/team/lib.git#{commit}"},
        "two": {"version": "1.0.0", "resolved": f"git+https://evil.example/lib.git#{commit}"},
        "three": {"version": "1.0.0", "resolved": "git+https://r.example/team/lib.git#main"},
        "ms": entry(),
    }
    pinned = pin_policy(policy("git"), {LOCK: npm_lock(**packages)})
    [found] = allowed(pinned)
    assert (found.name, found.version, found.source) == ("r.example/team/lib", commit, f"{LOCK}:4")
    assert (found.digests, found.strength) == ((f"git:{commit}",), "lockfile")
    elsewhere = "it is a repository of a host that allowed_hosts does not name"
    none = "it comes from a git repository, and no whole commit of it is named"
    assert pinned.policy.registries[0].unpinned == (
        UnpinnedArtifact("three", "1.0.0", none, f"{LOCK}:12"),
        UnpinnedArtifact("evil.example/lib", commit, elsewhere, f"{LOCK}:8"),
    )
    npm = pin_policy(policy(), {LOCK: npm_lock(**packages)})
    assert [pin.name for pin in allowed(npm)] == ["ms"]
    held = "it comes from a git repository, which registries.git holds to its commit"
    assert [each.reason for each in npm.policy.registries[0].unpinned].count(held) == 2


def test_a_file_that_is_not_there_is_a_note_and_none_at_all_an_error() -> None:
    written = policy(files=f"{LOCK}, yarn.lock")
    pinned = pin_policy(written, {LOCK: npm_lock(ms=entry())})
    assert pinned.notes == ("registries.npm: yarn.lock does not exist and pins nothing",)
    [said] = refused(written, {"other": ""})
    assert "none of them exists: package-lock.json, yarn.lock" in said


def test_a_file_that_cannot_be_read_has_a_place() -> None:
    written = policy(files=f"{LOCK}, yarn.lock")
    assert refused(written, {LOCK: "{\n!", "yarn.lock": "\n  x"}) == [
        f"{LOCK}:2:1: cannot read it as JSON: Expecting property name enclosed in double quotes",
        "yarn.lock:2:1: cannot read it as yarn.lock: it begins with an indented line",
    ]


def test_files_that_a_requirements_file_names_count_too_once() -> None:
    written = policy("pypi", "r/a.txt")
    texts = {
        "r/a.txt": "-r b.txt\n-c ../c.txt\n-r gone.txt\n-r /etc/passwd\nx==1.0\n",
        "r/b.txt": f"-r a.txt\ny==2.0 --hash=sha256:{A}\n",
        "c.txt": "z==3.0\n",
    }
    pinned = pin_policy(written, texts)
    assert [(pin.name, pin.strength) for pin in allowed(pinned)] == [
        ("x", "first-seen"), ("y", "lockfile"), ("z", "first-seen"),
    ]  # fmt: skip
    assert pinned.notes == (
        "r/a.txt names gone.txt, which was not read and pins nothing",
        "r/a.txt names /etc/passwd, which was not read and pins nothing",
    )


def test_a_lock_file_counts_only_in_its_own_registry() -> None:
    text = npm_lock(ms=entry(), git=entry(resolved="git+ssh://h.example/x#ab"))
    [registry] = pin_policy(policy("cargo"), {LOCK: text}).policy.registries
    assert (registry.artifact_allowlist, registry.unpinned) == ((), ())


def test_where_lock_files_are_not_enforced_none_is_read() -> None:
    written = policy(more=", mode: off")
    assert lock_patterns(written) == ()
    assert pin_policy(written, {LOCK: "broken"}) == Pinned(written, ())


def test_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MAX_FILES", 1)
    texts = {f"{name}/{LOCK}": npm_lock(ms=entry()) for name in "ab"}
    [said] = refused(policy(files="'**/package-lock.json'"), texts)
    assert said.startswith("b/package-lock.json:1:1: cannot read more than 1 lock files")


def test_of_very_many_digests_of_one_artifact_each_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SECURITY: a lock file says them as often as it may have lines, and the daemon joins them."""
    looked_at = 0

    def counted(digests: tuple[str, ...]) -> tuple[str, ...]:
        nonlocal looked_at
        looked_at += len(digests)
        return without_weak(digests)

    monkeypatch.setattr(pins, "without_weak", counted)
    lines = (f"a==1.0 --hash=sha256:{count:064x}\n" for count in range(2000))
    [pin] = allowed(pin_policy(policy("pypi", "r.txt"), {"r.txt": "".join(lines)}))
    assert pin.digests == tuple(f"sha256:{count:064x}" for count in range(2000))
    assert looked_at == 2000


def test_entries_are_kept_with_their_paths_so_that_both_together_have_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pins, "MAX_PLACES", 2 * len(f"deep/{LOCK}") + len(LOCK))
    texts = {LOCK: npm_lock(a=entry()), f"deep/{LOCK}": npm_lock(a=entry(), b=entry())}
    assert allowed(pin_policy(policy(files=f'"**/{LOCK}"'), texts))
    texts[LOCK] = npm_lock(a=entry(), b=entry())
    [problem] = refused(policy(files=f'"**/{LOCK}"'), texts)
    assert problem.startswith(f"deep/{LOCK}:1:1: cannot keep where its entries stand")
