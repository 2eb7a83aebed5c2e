"""What a person shows a sandbox beside its workspace."""

import pytest

from cleanroom.api.mount_types import MountRequest


@pytest.mark.parametrize(
    ("mount", "place", "text"),
    [
        (MountRequest(path="/a"), "/a", "/a"),
        (MountRequest(path="/a", at="/b"), "/b", "/a:/b"),
        (MountRequest(path="/a", writable=True), "/a", "/a:rw"),
        (MountRequest(path="/a", at="/b", writable=True), "/b", "/a:/b:rw"),
    ],
)
def test_a_mount_has_a_place_and_a_text(mount: MountRequest, place: str, text: str) -> None:
    assert (mount.place, mount.text()) == (place, text)
