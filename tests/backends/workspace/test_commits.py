"""Git's listings of what commits hold."""

import pytest

from cleanroom.backends.workspace.commits import Entry, contents, entries, tree_entries

OLD, NEW = "0" * 40, "a" * 40


def test_a_difference_is_read() -> None:
    raw = f":000000 120000 {OLD} {NEW} A\0l\0\0:100644 000000 {NEW} {OLD} D\0d/x y\0".encode()
    assert list(entries(raw)) == [Entry("l", "120000", NEW), Entry("d/x y", "000000", OLD)]


@pytest.mark.parametrize("raw", [b"x", b":1 2 3", b":1 2 3 4 5"])
def test_anything_else_is_no_difference(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not a raw difference"):
        list(entries(raw))


def test_a_tree_is_read() -> None:
    listing = f"120000 blob {NEW}\tl\n\0".encode() + f"100644 blob {OLD}\td/x\0".encode()
    assert list(tree_entries(listing)) == [Entry("l\n", "120000", NEW), Entry("d/x", "100644", OLD)]


def test_contents_are_read() -> None:
    assert contents(f"{NEW} blob 3\na\nb\n{OLD} blob 0\n\n".encode()) == {NEW: b"a\nb", OLD: b""}
    with pytest.raises(ValueError, match="not a file"):
        contents(f"{NEW} tree 3\nabc\n".encode())
