"""Storage: where a mirror may send somebody for a file, and that nobody reads what was signed."""

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.storage import Stored, may_be_stored, named_by, read_storage, stored_at
from cleanroom.policy.hosts import InvalidHostError

MIRROR = Mirror("npm.example", "https://m.example/npm", storage=("s3.example", "disk.example:9000"))
SIGNED = "/bucket/a%20b/../c?X-Signature=a%2Fb+c==&X-Expires=60"


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        (Grant("npm", "artifact", "/x/-/x-1.tgz"), True),
        (Grant("go", "artifact", "/x/@v/v1.0.0.mod"), True),
        (Grant("go", "metadata", "/x/@v/v1.0.0.info"), True),
        (Grant("pypi", "metadata", "/f/x-1-py3-none-any.whl.metadata"), True),
        (Grant("npm", "metadata", "/x"), False),
        (Grant("npm", "metadata", "/x.info"), False),
        (Grant("pypi", "metadata", "/simple/x/"), False),
        (Grant("go", "metadata", "/x/@v/list"), False),
        (Grant("cargo", "metadata", "/config.json"), False),
        (Grant("pypi", "service", "/x.metadata"), False),
        (Grant("git", "talk", "/x.git/git-upload-pack"), False),
        (Grant("git", "artifact", "/x.git/git-upload-pack", body=b"0000"), False),
    ],
)
def test_files_are_stored_and_what_belongs_to_one(grant: Grant, *, may: bool) -> None:
    assert may_be_stored(grant) is may


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("S3.Example", "s3.example"),
        ("s3.example:443", "s3.example"),
        ("disk.example:9000", "disk.example:9000"),
    ],
)
def test_a_place_has_one_spelling(written: str, read: str) -> None:
    assert read_storage(written) == read


@pytest.mark.parametrize(
    "text", ["", "*.example", "10.0.0.1", "a.example:", "a.example:0", "a.example/x", "[::1]:443"]
)
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(InvalidHostError):
        read_storage(text)


@pytest.mark.parametrize(
    ("location", "host", "port"),
    [
        (f"https://s3.example{SIGNED}", "s3.example", 443),
        (f"https://S3.example:443{SIGNED}", "s3.example", 443),
        (f"https://disk.example:9000{SIGNED}", "disk.example", 9000),
    ],
)
def test_a_listed_place_is_asked_for_what_was_signed_letter_for_letter(
    location: str, host: str, port: int
) -> None:
    stored = stored_at(MIRROR, location)
    assert stored == Stored(host, port, SIGNED)
    assert stored.label == ("s3.example" if port == 443 else "disk.example:9000")
    assert "Signature" not in repr(stored)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/x?y",
        "http://s3.example/x?y",
        "https://s3.example:9000/x?y",
        "https://disk.example/x?y",
        "https://s3.example.evil.example/x?y",
        "https://evil.s3.example/x?y",
        "https://s3.example./x?y",
        "https://u@s3.example/x?y",
        "https://s3.example@evil.example/x?y",
        "https://s3.example:443@evil.example/x?y",
        "https://s3.example\\@evil.example/x?y",
        "https://evil.example#@s3.example/x?y",
        "https://s3.example/x?y#z",
        "https://s3.example/a b",
        "https://s3.example/\u00e9",
        "https://s3.example/x\r\nHost: evil.example",
        "https://s3.example",
        "https://s3.example?y",
        "https://[::1]/x",
        "//s3.example/x?y",
        "/x?y",
        "",
        f"https://s3.example/{'x' * 8192}",
    ],
)
def test_no_other_place_is_storage(location: str) -> None:
    assert stored_at(MIRROR, location) is None


def test_a_place_is_named_by_its_host_alone() -> None:
    assert named_by(f"https://New.example{SIGNED}") == "new.example"
    assert named_by(f"https://new.example:9000{SIGNED}") == "new.example:9000"
    assert named_by("https://10.0.0.1/x") == ""
    assert named_by("https://new.example:99999/x") == ""
    assert named_by("ftp://new.example/x") == ""
