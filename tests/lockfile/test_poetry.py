import pytest

from tests.lockfile.reading import A, pins, refused

FORMAT = "poetry.lock"
PACKAGE = '[[package]]\nname = "foo"\nversion = "1.0"\n'
FILES = f'[{{file = "foo.whl", hash = "sha256:{A}"}}]\n'


def test_files_stand_in_the_package_or_beside_it() -> None:
    assert pins(FORMAT, f"{PACKAGE}files = {FILES}") == ["foo 1 foo.whl sha256"]
    assert pins(FORMAT, f"{PACKAGE}[metadata.files]\nfoo = {FILES}") == ["foo 1 foo.whl sha256"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("git", "it comes from a git repository"),
        ("directory", "local: it is a file or folder of the workspace"),
        ("file", "local: it is a file or folder of the workspace"),
    ],
)
def test_other_sources_are_not_pinned(kind: str, reason: str) -> None:
    text = f'{PACKAGE}files = {FILES}[package.source]\ntype = "{kind}"\n'
    assert refused(FORMAT, text) == [f"1 foo 1: {reason}"]


def test_a_private_index_is_an_index() -> None:
    text = f'{PACKAGE}files = {FILES}[package.source]\ntype = "legacy"\n'
    assert pins(FORMAT, text) == ["foo 1 foo.whl sha256"]
