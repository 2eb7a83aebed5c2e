"""Files of this machine, packed."""

import os
from pathlib import Path

from cleanroom.client.pack import Packer
from tests.client.test_tar import read


def test_a_tree_is_packed_whole_and_what_is_no_file_is_said(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(b"x" * 600)
    (tree / "sub" / "file").chmod(0o755)
    (tree / "link").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    packer = Packer()
    found = read(b"".join(packer.pack(str(tree), ("t",))))
    assert [(member.path, member.kind) for member, _ in found] == [
        ("t", "folder"),
        ("t/link", "link"),
        ("t/sub", "folder"),
        ("t/sub/file", "file"),
    ]
    assert found[3][0].mode == 0o755
    assert found[3][1] == b"x" * 600
    assert found[1][0].target == "/etc/passwd"
    assert packer.skipped == [f"{tree}/pipe"]
    inside = read(b"".join(Packer().pack(str(tree), ())))
    assert [member.path for member, _ in inside] == ["link", "sub", "sub/file"]


def test_a_link_that_was_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    ((member, data),) = read(b"".join(Packer().pack(str(tmp_path / "link"), ("link",))))
    assert (member.path, member.kind, data) == ("link", "file", b"content")


def test_a_file_that_shrinks_meanwhile_keeps_its_promise(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    pieces = Packer().pack(str(path), ("f",))
    first = [next(pieces), next(pieces)]
    path.write_bytes(b"")
    ((_, data),) = read(b"".join([*first, *pieces]))
    assert len(data) == 300_000
