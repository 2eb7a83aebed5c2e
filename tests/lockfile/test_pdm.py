import pytest

from tests.lockfile.reading import A, pins, refused

FORMAT = "pdm.lock"
PACKAGE = '[[package]]\nname = "foo"\nversion = "1.0"\n'
FILES = f'[{{file = "foo.whl", hash = "sha256:{A}"}}]\n'


def test_files_stand_in_the_package_or_beside_it() -> None:
    assert pins(FORMAT, f"{PACKAGE}files = {FILES}") == ["foo 1 foo.whl sha256"]
    beside = f'{PACKAGE}[metadata.files]\n"foo 1.0" = {FILES}'
    assert pins(FORMAT, beside) == ["foo 1 foo.whl sha256"]


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ('git = "https://h.example/x"', "it comes from a git repository"),
        ('path = "./x"', "local: it is a file or folder of the workspace"),
    ],
)
def test_other_sources_are_not_pinned(field: str, reason: str) -> None:
    assert refused(FORMAT, f"{PACKAGE}{field}\n") == [f"1 foo 1: {reason}"]
