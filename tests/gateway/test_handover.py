"""A policy on its way to the gateway."""

import os
from dataclasses import replace

import pytest

from cleanroom.gateway import handover
from cleanroom.gateway.control import MAX_MESSAGE_BYTES, ControlError
from cleanroom.policy.model import ArtifactPin, RegistryPolicy
from tests.decide.policies import policy, rule

POLICY = policy("a.test:443", "*.b.test:22", rule("c.test:443", ech=True), deny=("x.b.test:22",))


def test_a_policy_arrives_with_its_places() -> None:
    arrived = handover.read_policy(handover.policy_file(POLICY))
    assert arrived == POLICY
    assert [rule.place.line for rule in arrived.network.allow_rules] == [7, 7, 7]


def test_pins_may_be_larger_than_a_message() -> None:
    pins = tuple(
        ArtifactPin(f"package-{number}", "1.0.0", digests=(f"sha512:{number:0128x}",))
        for number in range(MAX_MESSAGE_BYTES // 200)
    )
    registry = RegistryPolicy(
        "npm", enabled=True, allowed_hosts=("npm.test",), artifact_allowlist=pins
    )
    large = replace(POLICY, registries=(registry,))
    descriptor = handover.policy_file(large)
    assert os.fstat(descriptor).st_size > MAX_MESSAGE_BYTES
    assert handover.read_policy(descriptor) == large


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


def test_what_is_no_sealed_policy_is_refused_and_closed() -> None:
    pipe, other = os.pipe()
    os.close(other)
    for descriptor in (
        _file(b"{}", sealed=True),
        _file(b'{"\xc9":1}', sealed=True),
        _file(b"{}", sealed=False),
        _file(b"", sealed=True, size=handover.MAX_POLICY_BYTES + 1),
        pipe,
    ):
        with pytest.raises(ControlError):
            handover.read_policy(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.close(descriptor)


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
