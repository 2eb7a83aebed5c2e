"""What is recorded of an approval comes back as it was."""

import msgspec
import pytest

from cleanroom.daemon.approved import Approved, read_approved, write_approved
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy


def registry(manager: str, count: int) -> RegistryPolicy:
    pins = tuple(
        ArtifactPin(f"a{number}", "1", digests=("sha512:00",), source=f"l:{number}")
        for number in range(count)
    )
    hosts = (f"{manager}.test",)
    return RegistryPolicy(manager, enabled=True, allowed_hosts=hosts, artifact_allowlist=pins)


def approved(*counts: int) -> Approved:
    named = zip(("cargo", "npm", "pypi"), counts, strict=False)
    policy = CompiledPolicy("sha256:0", "", registries=tuple(registry(*each) for each in named))
    return Approved(policy, "uid 1", "approve", {"s": ("h.test",)})


@pytest.mark.parametrize("counts", [(), (0,), (1,), (1000, 0, 1), (0, 2500, 1001)])
def test_it_comes_back_as_it_was(counts: tuple[int, ...]) -> None:
    was = approved(*counts)
    found = read_approved(write_approved(was))
    assert found == was
    for each, other in zip(found.policy.registries, was.policy.registries, strict=True):
        pairs = zip(each.artifact_allowlist, other.artifact_allowlist, strict=True)
        assert all(one.source == two.source for one, two in pairs)


def test_no_line_has_very_many_pins() -> None:
    assert len(write_approved(approved(2500, 10)).split(b"\n")) == 1 + 3 + 1


def test_what_an_earlier_version_wrote_is_read() -> None:
    was = approved(3, 1)
    assert read_approved(msgspec.json.encode(was)) == was


@pytest.mark.parametrize("rest", [b"\n", b"\n[9,[]]", b"\n{}", b"\n[0,[{}]]"])
def test_what_is_no_document_is_refused(rest: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, IndexError)):
        read_approved(write_approved(approved(1)) + rest)
