"""What lock files say, looked up."""

import pytest

from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.locked import Hold, Locked, SortedNames, index_locked
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import LockfilePolicy, RegistryPolicy, UnpinnedArtifact

STRONG, WEAK = f"sha512:{'b' * 128}", f"sha256:{'a' * 64}"


def locked(
    manager: str, *pins: ArtifactPin, mode: str = "deny_unknown", unpinned: str = ""
) -> Locked:
    entries = (UnpinnedArtifact(unpinned, "1.0", "why", "l:1"),) if unpinned else ()
    lockfile = LockfilePolicy(enabled=True, mode=mode, lockfiles=("l",))
    policy = RegistryPolicy(
        manager,
        enabled=True,
        allowed_hosts=("h.test",),
        lockfile=lockfile,
        artifact_allowlist=pins,
        unpinned=entries,
    )
    return index_locked(policy, GRAMMARS[manager])


def pin(name: str, version: str = "1.0", file: str = "", *digests: str) -> ArtifactPin:
    strength = "lockfile" if digests else "first-seen"
    return ArtifactPin(name, version, file, digests=digests, strength=strength, source=f"l:{name}")


def test_a_version_is_held_by_its_strongest_digests() -> None:
    found = locked("pypi", pin("a", "1.0", "", WEAK), pin("a", "1.0.0", "", STRONG), pin("b"))
    assert found.hold("a", "1", "a-1.tar.gz") == Hold("l:a", (STRONG,), is_first_seen=False)
    assert found.hold("b", "1.0", "x") == Hold("l:b", (), is_first_seen=True)
    assert found.hold("a", "2", "x") is None
    odd = locked("pypi", pin("c", "1.0", "", "md5:00"), pin("d", "1.0", "", WEAK, STRONG))
    assert odd.hold("c", "1.0", "x") == Hold("l:c", (), is_first_seen=False)
    assert odd.hold("d", "1.0", "x") == Hold("l:d", (STRONG,), is_first_seen=False)
    assert found.hold("a", "", "x") is None


def test_a_file_that_is_named_is_held_by_that() -> None:
    found = locked("pypi", pin("a", "1.0", "a.whl", WEAK))
    held = Hold("l:a", (WEAK,), is_first_seen=False)
    assert found.hold("a", "", "a.whl") == found.hold("a", "1.0", "a.whl") == held
    assert found.hold("a", "1.0", "other.whl") is None


def test_an_entry_that_holds_nothing_is_found_by_name_and_version() -> None:
    found = locked("pypi", unpinned="Some_Pkg")
    assert found.why_unpinned("some-pkg", "1.0.0") == "why"
    assert found.why_unpinned("some-pkg", "2") == ""
    assert not found.has("some-pkg")


def test_where_nothing_is_enforced_nothing_is_locked() -> None:
    assert locked("npm", pin("a"), mode="off").hold("a", "1.0", "x") is None
    assert not locked("npm", pin("a"), mode="off").has("a")


@pytest.mark.parametrize(
    ("name", "leads"),
    [
        ("x.test", True), ("x.test/a", True), ("x.test/a/b", True), ("x.test/a/b/c", False),
        ("x.test/a/", False), ("x.tes", False), ("x.test/c", True), ("x.test/c/d", True),
        ("x.test-y", True), ("x.test/c-", False), ("x.test-", False), ("x.test-y/z", True),
        ("", False), ("z", False), ("x.test/", False),
    ],
)  # fmt: skip
def test_what_lies_above_a_module_leads_to_it(name: str, *, leads: bool) -> None:
    names = ("x.test/a/b", "x.test/c-e", "x.test/c.f", "x.test/c/d", "x.test-y/z")
    found = locked("go", *(pin(each, "v1.0.0", "zip", "h1:00") for each in names))
    assert found.leads_to(name) is leads
    assert found.has(name) is (name in names)


def test_a_name_of_many_parts_is_known_by_itself_alone() -> None:
    """SECURITY: each part of each name, written out, would fill the gateway's memory."""
    names = ["/".join([f"m{count}.test", *"a" * 2000]) for count in range(2000)]
    found = locked("go", *(pin(each, "v1.0.0", "zip", "h1:00") for each in names))
    assert isinstance(found.names, SortedNames)
    assert len(found.names) == len(names)
    assert sum(map(len, found.names)) == sum(map(len, names))
    assert found.leads_to("/".join(["m7.test", *"a" * 1999]))
    assert not found.leads_to("m7.test/b")
