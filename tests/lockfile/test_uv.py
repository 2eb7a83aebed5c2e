import pytest

from tests.lockfile.reading import A, error, pins, refused

FORMAT = "uv.lock"
HEAD = 'version = 1\nrevision = 3\n\n[[package]]\nname = "foo"\nversion = "1.0"\n'
HASH = f'hash = "sha256:{A}"'


def test_sdist_and_wheels_are_pins_by_address_or_by_name_alone() -> None:
    text = (
        f'{HEAD}source = {{ registry = "https://i.example/simple" }}\n'
        f'sdist = {{ url = "https://f.example/foo-1.0.tar.gz", {HASH} }}\n'
        f'wheels = [{{ filename = "foo-1.0-py3-none-any.whl", {HASH} }}]\n'
    )
    assert pins(FORMAT, text) == [
        "foo 1 foo-1.0.tar.gz https://f.example/foo-1.0.tar.gz sha256",
        "foo 1 foo-1.0-py3-none-any.whl sha256",
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('git = "https://h.example/x?rev=1#ab"', "it comes from a git repository"),
        ('editable = "."', "local: it is a file or folder of the workspace"),
        ('virtual = "."', "local: it is a file or folder of the workspace"),
        ('registry = "https://i.example"', "the lock file has no usable digest of it"),
    ],
)
def test_other_sources_are_not_pinned(source: str, reason: str) -> None:
    assert refused(FORMAT, f"{HEAD}source = {{ {source} }}\n") == [f"4 foo 1: {reason}"]


def test_another_version_is_an_error() -> None:
    assert error(FORMAT, "version = 2") == "1:1 cannot read version '2' of uv.lock: 1 is known"
