"""The stream, as a real tar unpacks it."""

import os
import shutil
import subprocess
from pathlib import Path

from cleanroom.backends.workspace.folders import FOLDER, opened
from cleanroom.backends.workspace.parcel import END, pack
from cleanroom.backends.workspace.sync import Brought, digest_at
from tests.backends.workspace.overlays import Workspace, tree


def stream(workspace: Workspace, *paths: str) -> tuple[bytes, dict[str, Brought]]:
    packed: dict[str, Brought] = {}
    with opened(os.open(workspace.root, FOLDER)) as root:
        return b"".join(pack(root, paths, packed)), packed


def unpacked(data: bytes, into: Path) -> dict[str, str]:
    tar = shutil.which("tar")
    assert tar
    into.mkdir()
    subprocess.run([tar, "-xpf", "-", "--no-same-owner", "-C", str(into)], input=data, check=True)
    return tree(into)


def test_what_is_packed_is_unpacked(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write("plain", "content\n", 0o640)
    workspace.write("program", "x" * 513, 0o4755)
    workspace.write("nothing")
    workspace.write(f"{'d' * 90}/{'f' * 90}", "deep")
    workspace.write("ünïcode", "u")
    (workspace.root / "empty").mkdir(0o750)
    (workspace.root / "link").symlink_to("plain")
    (workspace.root / "far").symlink_to("t" * 300)
    paths = [path for path in tree(workspace.root) if not path.startswith("d") or "/" in path]
    data, packed = stream(workspace, *paths)
    found = unpacked(data, tmp_path / "out")
    expected = tree(workspace.root)
    expected["program"] = expected["program"].replace("4755", "755")
    assert found == expected
    assert (tmp_path / "out/empty").stat().st_mode & 0o777 == 0o750
    with opened(os.open(workspace.root, FOLDER)) as root:
        for path in ("plain", "program", "link", "far"):
            ctime_ns = (workspace.root / path).lstat().st_ctime_ns
            assert packed[path] == Brought(ctime_ns, digest_at(root, path))


def test_what_is_gone_or_reached_through_a_link_is_left_out(workspace: Workspace) -> None:
    (workspace.root / "link").symlink_to("/etc")
    os.mkfifo(workspace.root / "fifo")
    assert stream(workspace, "gone", "gone/too", "link/passwd", "fifo") == (END, {})


def test_a_file_that_is_cut_while_it_is_read_keeps_its_length(
    workspace: Workspace, tmp_path: Path
) -> None:
    place = workspace.write("file", "x" * 600_000)
    packed: dict[str, Brought] = {}
    with opened(os.open(workspace.root, FOLDER)) as root:
        parts = pack(root, ("file",), packed)
        data = next(parts) + next(parts)
        place.write_text("")
        data += b"".join(parts)
    unpacked(data, tmp_path / "out")
    assert (tmp_path / "out/file").stat().st_size == 600_000


def test_a_file_larger_than_a_plain_header_says_keeps_its_size(workspace: Workspace) -> None:
    place = workspace.write("huge")
    os.truncate(place, 9 << 30)
    with opened(os.open(workspace.root, FOLDER)) as root:
        header = next(pack(root, ("huge",), {}))
    assert b"size=9663676416\n" in header
