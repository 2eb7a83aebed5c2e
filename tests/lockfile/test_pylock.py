import pytest

from tests.lockfile.reading import A, error, pins, refused

FORMAT = "pylock.toml"
HEAD = 'lock-version = "1.0"\n[[packages]]\nname = "foo"\nversion = "1.0"\n'
URL = "https://f.example/foo-1.0.tar.gz"


@pytest.mark.parametrize("key", ["sdist", "archive"])
def test_a_file_alone_is_a_pin(key: str) -> None:
    text = f'{HEAD}{key} = {{url = "{URL}", hashes = {{sha256 = "{A}"}}}}\n'
    assert pins(FORMAT, text) == [f"foo 1 foo-1.0.tar.gz {URL} sha256"]


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ('vcs = {type = "git", url = "x"}', "it comes from a git repository"),
        ('directory = {path = "."}', "local: it is a file or folder of the workspace"),
        ("", "the lock file has no usable digest of it"),
    ],
)
def test_other_sources_are_not_pinned(field: str, reason: str) -> None:
    assert refused(FORMAT, f"{HEAD}{field}\n") == [f"2 foo 1: {reason}"]


def test_another_version_is_an_error() -> None:
    said = "1:1 cannot read lock-version '2.0': 1.0 is known"
    assert error(FORMAT, 'lock-version = "2.0"') == said
