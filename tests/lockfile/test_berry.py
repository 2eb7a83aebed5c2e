import pytest

from tests.lockfile.reading import error, pins, refused

FORMAT = "yarn.lock"
HEAD = "__metadata:\n  version: 8\n\n"


def entry(resolution: str) -> str:
    return f'{HEAD}"a@x":\n  version: 1.0.0\n  resolution: "{resolution}"\n  checksum: 10c0/ab\n'


def test_a_package_is_held_by_name_and_version_only() -> None:
    assert pins(FORMAT, entry("@s/ms@npm:2.1.3")) == ["@s/ms 2.1.3 first-seen"]


def test_an_archive_of_its_own_is_named() -> None:
    bound = "::__archiveUrl=https%3A%2F%2Fr.example%2Fms%2F-%2Fms-2.1.3.tgz"
    url = "https://r.example/ms/-/ms-2.1.3.tgz"
    assert pins(FORMAT, entry(f"ms@npm:2.1.3{bound}")) == [f"ms 2.1.3 {url} first-seen"]
    assert pins(FORMAT, entry("ms@npm:2.1.3::x=1&y=2")) == ["ms 2.1.3 first-seen"]


@pytest.mark.parametrize(
    ("resolution", "reason"),
    [
        ("a@workspace:.", "local: it is a file or folder of the workspace"),
        ("a@patch:a@npm%3A1.0.0#x", "local: it is a file or folder of the workspace"),
        ("a@https://h.example/a.git#commit=ab", "it comes from a git repository"),
        ("a@ssh://git@h.example/a", "it comes from a git repository"),
        (
            "a@https://h.example/a.tgz",
            "it is a tarball at an address of its own, and yarn.lock has no digest",
        ),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(resolution: str, reason: str) -> None:
    assert refused(FORMAT, entry(resolution)) == [f"4 a 1.0.0: {reason}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\n__metadata: {}\n---\n__metadata: {}", "1:1 cannot read it as yarn.lock: '__meta"),
        (entry("a"), "4:1 cannot read it as yarn.lock: an entry has no resolution"),
        (f"{HEAD}a: 1", "4:1 cannot read it: 'a' is not a table"),
    ],
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, said: str) -> None:
    assert error(FORMAT, text).startswith(said)
