import pytest

from tests.lockfile.reading import A, error, pins, refused

FORMAT = "Cargo.lock"
PACKAGE = '[[package]]\nname = "foo"\nversion = "1.0.0"\n'
REGISTRY = "registry+https://h.example/index"


def test_a_checksum_stands_in_the_package_or_at_the_end() -> None:
    inside = f'version = 4\n{PACKAGE}source = "sparse+https://h.example"\nchecksum = "{A}"\n'
    assert pins(FORMAT, inside) == ["foo 1.0.0 sha256"]
    metadata = f'[metadata]\n"checksum foo 1.0.0 ({REGISTRY})" = "{A}"\n'
    assert pins(FORMAT, f'{PACKAGE}source = "{REGISTRY}"\n{metadata}') == ["foo 1.0.0 sha256"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (f'source = "{REGISTRY}"', "the lock file has no usable digest of it"),
        (f'source = "{REGISTRY}"\nchecksum = "<none>"', "the lock file has no usable digest of it"),
        ('source = "git+https://h.example/x#ab"', "it comes from a git repository"),
        ("", "local: it is a file or folder of the workspace"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(fields: str, reason: str) -> None:
    assert refused(FORMAT, f"\n{PACKAGE}{fields}\n") == [f"2 foo 1.0.0: {reason}"]


def test_another_version_is_an_error() -> None:
    said = "1:1 cannot read version '5' of Cargo.lock: 1 to 4 are known"
    assert error(FORMAT, "version = 5") == said
