"""A policy on its way to the gateway."""

import errno
import os
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.locked import Hold
from cleanroom.decide.registries import judge_by
from cleanroom.gateway import handover
from cleanroom.gateway.control import MAX_MESSAGE_BYTES, ControlError
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryPolicy, UnpinnedArtifact
from tests.decide.policies import policy, rule

POLICY = policy("a.test:443", "*.b.test:22", rule("c.test:443", ech=True), deny=("x.b.test:22",))


def pin(name: str, version: str, file: str = "") -> ArtifactPin:
    digest = f"sha512:{name[-1:].encode().hex()[-1:] * 128}"
    return ArtifactPin(name, version, file, digests=(digest,), source=f"l:{name}")


def held(
    manager: str, *pins: ArtifactPin, unpinned: tuple[UnpinnedArtifact, ...] = ()
) -> CompiledPolicy:
    lock = LockfilePolicy(enabled=True, mode="deny_unknown", lockfiles=("l",))
    registry = RegistryPolicy(
        manager,
        enabled=True,
        allowed_hosts=("h.test",),
        lockfile=lock,
        artifact_allowlist=pins,
        unpinned=unpinned,
    )
    return replace(POLICY, registries=(registry,))


def test_a_policy_arrives_with_its_places() -> None:
    arrived = handover.read_policy(handover.policy_file(POLICY)).policy
    assert arrived == POLICY
    assert [rule.place.line for rule in arrived.network.allow_rules] == [7, 7, 7]


def test_pins_may_be_larger_than_a_message_and_stay_in_the_file() -> None:
    count = MAX_MESSAGE_BYTES // 200
    large = held("npm", *(pin(f"package-{number}", "1.0.0") for number in range(count)))
    descriptor = handover.policy_file(large)
    assert os.fstat(descriptor).st_size > MAX_MESSAGE_BYTES
    arrived = handover.read_policy(descriptor)
    (bare,) = arrived.policy.registries
    (whole,) = large.registries
    assert bare == replace(whole, artifact_allowlist=())
    found = arrived.registries["h.test"][""].locked.hold(
        "package-7", "1.0.0", "package-7-1.0.0.tgz"
    )
    assert found == Hold("l:package-7", (f"sha512:{'7' * 128}",), is_first_seen=False)


TEXTS = st.sampled_from(["a", "b", "a/b", "a-b", "A", "a\0", "a\0\1b", "é", "", "x" * 300, "a/b/c"])
PINS = st.lists(st.builds(pin, TEXTS, TEXTS, TEXTS), max_size=12)
ENTRIES = st.lists(st.builds(UnpinnedArtifact, TEXTS, TEXTS, TEXTS, TEXTS), max_size=6)


@given(
    st.sampled_from(["npm", "pypi", "cargo", "go"]), PINS, ENTRIES, st.tuples(TEXTS, TEXTS, TEXTS)
)
def test_what_is_handed_over_says_what_the_policy_says(
    manager: str,
    pins: list[ArtifactPin],
    entries: list[UnpinnedArtifact],
    words: tuple[str, str, str],
) -> None:
    policy = held(manager, *pins, unpinned=tuple(entries))
    here = judge_by(policy).registries["h.test"][""]
    there = handover.read_policy(handover.policy_file(policy)).registries["h.test"][""]
    assert (here.pins, here.pushed, here.lockfiles) == (there.pins, there.pushed, there.lockfiles)
    asked = [words, *((each.name, each.version, each.file) for each in pins)]
    asked += [(each.name, each.version, "") for each in entries]
    for each in asked:
        assert here.locked.hold(*each) == there.locked.hold(*each)
        assert here.locked.why_unpinned(*each[:2]) == there.locked.why_unpinned(*each[:2])
        assert (each[:2] in here.locked.versions) == (each[:2] in there.locked.versions)
        for word in each:
            assert here.locked.has(word) == there.locked.has(word)
            assert here.locked.leads_to(word) == there.locked.leads_to(word)
    assert len(here.locked.versions) == len(there.locked.versions)


@given(st.lists(st.tuples(st.sampled_from(["h.test/a", "h.test/b", "h.test/é"]), TEXTS)))
def test_commits_are_found_by_repository_and_name(named: list[tuple[str, str]]) -> None:
    policy = held("git", *(pin(*each) for each in named))
    here = judge_by(policy).registries["h.test"][""].commits
    there = handover.read_policy(handover.policy_file(policy)).registries["h.test"][""].commits
    assert dict(here) == dict(there)
    for name, commits in here.items():
        assert list(there[name].by_name.items()) == list(commits.by_name.items())
        assert there[name].by_name.get("none") is None


def test_a_registry_that_is_not_asked_is_none() -> None:
    (npm,) = held("npm", pin("a", "1")).registries
    off = CompiledPolicy("sha256:0", "", registries=(replace(npm, enabled=False),))
    arrived = handover.read_policy(handover.policy_file(off))
    assert arrived.registries == {}
    assert [each.manager for each in arrived.policy.registries] == ["npm"]


def test_what_is_handed_over_cannot_change() -> None:
    descriptor = handover.policy_file(POLICY)
    for change in (
        lambda: os.pwrite(descriptor, b"x", 0),
        lambda: os.ftruncate(descriptor, 1),
        lambda: os.ftruncate(descriptor, 1 << 20),
    ):
        with pytest.raises(PermissionError):
            change()
    os.close(descriptor)


def _file(data: bytes, *, sealed: bool, size: int = 0) -> int:
    descriptor = os.memfd_create("policy", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    os.ftruncate(descriptor, size or len(data))
    if sealed:
        handover.seal(descriptor)
    return descriptor


def _elsewhere() -> bytes:
    """Return a policy whose first table is where its file has ended."""
    descriptor = handover.policy_file(held("npm", pin("a", "1")))
    data = os.pread(descriptor, 1 << 20, 0)
    os.close(descriptor)
    at = int(re.findall(rb'"registries":\[\["[0-9a-f]{64}",\[(\d+),1\]', data)[0])
    length = int.from_bytes(data[-4:], "big")
    rest = data[-4 - length : -4].replace(b'",[%d,1]' % at, b'",[9999999,1]')
    return data[: -4 - length] + rest + len(rest).to_bytes(4, "big")


def test_what_is_no_sealed_policy_is_refused_and_closed() -> None:
    pipe, other = os.pipe()
    os.close(other)
    for descriptor in (
        _file(b"{}" + (2).to_bytes(4, "big"), sealed=True),
        _file(b"{}", sealed=True),
        _file(_elsewhere(), sealed=True),
        _file(b'{"\xc9":1}', sealed=True),
        _file(b"{}", sealed=False),
        _file(b"", sealed=True, size=handover.MAX_POLICY_BYTES + 1),
        pipe,
    ):
        with pytest.raises(ControlError):
            handover.read_policy(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.close(descriptor)


@pytest.mark.parametrize("most", [100, 1000])  # the tables, or what is behind them
def test_a_policy_that_would_not_be_read_is_not_written(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(handover, "MAX_POLICY_BYTES", most)
    made: list[int] = []
    create = os.memfd_create

    def noting(name: str, flags: int) -> int:
        made.append(create(name, flags))
        return made[-1]

    monkeypatch.setattr(os, "memfd_create", noting)
    with pytest.raises(OSError, match="File too large") as caught:
        handover.policy_file(held("npm", pin("a", "1.0.0")))
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(made[0])


def test_a_file_that_cannot_be_written_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def refuse(descriptor: int) -> None:
        made.append(descriptor)
        raise OSError

    monkeypatch.setattr(handover, "seal", refuse)
    with pytest.raises(OSError):  # noqa: PT011 -- any
        handover.policy_file(POLICY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(made[0])
