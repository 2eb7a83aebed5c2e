"""Pins are equal by what they mean."""

from msgspec.structs import replace

from cleanroom.policy.artifact_pin import ArtifactPin

PIN = ArtifactPin("ms", "2.1.3", "ms-2.1.3.tgz", "", ("sha512:0",), source="package-lock.json:12")


def test_where_a_pin_was_read_is_no_part_of_it() -> None:
    elsewhere = replace(PIN, source="yarn.lock:1")
    assert (PIN, hash(PIN)) == (elsewhere, hash(elsewhere))
    assert replace(PIN, version="2.1.2") != PIN
    assert object() != PIN
