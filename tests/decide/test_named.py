import pytest

from cleanroom.decide.named import BLOB, COMMIT, TAG, TREE, OddError, names_in
from tests.decide.packs import commit, tree

A, B, C = b"\xaa" * 20, b"\xbb" * 20, b"\xcc" * 20


def test_a_commit_names_its_folder_and_its_parents() -> None:
    assert list(names_in(COMMIT, commit(A, B, C), 20)) == [A, B, C]
    assert list(names_in(COMMIT, commit(A, B, C), 20, is_cut=True)) == [A]
    assert list(names_in(COMMIT, commit(A * 2, B * 2), 40)) == [A * 2, B * 2]


def test_a_tag_names_one_object_and_a_file_none() -> None:
    assert list(names_in(TAG, f"object {A.hex()}\ntype commit\n".encode(), 20)) == [A]
    assert list(names_in(BLOB, commit(A), 20)) == []


@pytest.mark.parametrize(
    ("mode", "is_followed"),
    [("100644", True), ("40000", True), ("040000", True), ("120000", True), ("0100664", True),
     ("160000", False), ("0160000", False), ("644", False), ("260000", False)],
)  # fmt: skip
def test_a_folder_names_what_git_follows(mode: str, *, is_followed: bool) -> None:
    assert list(names_in(TREE, tree((f"{mode} a", A), ("100644 b", B)), 20)) == [
        A if is_followed else b"", B,
    ]  # fmt: skip
    assert list(names_in(TREE, b"", 20)) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (COMMIT, b"author x\n\n"),
        (COMMIT, b"tree abc\n"),
        (COMMIT, f"tree {A.hex().upper()}\n".encode()),
        (TAG, b"tag x\n"),
        (TREE, b"100644 a\0short"),
        (TREE, b"100644 \0" + A),
        (TREE, b"100644"),
        (TREE, b"100648 a\0" + A),
        (TREE, b"100644 " * 40_000),  # to look for an end from each of them would take minutes
        (TREE, b"1" * 100_000),
    ],
)
def test_what_is_no_object_is_odd(kind: int, data: bytes) -> None:
    with pytest.raises(OddError):
        list(names_in(kind, data, 20))
