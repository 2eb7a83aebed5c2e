"""What of a workspace an edit of which is brought inside."""

import os

from cleanroom.backends.workspace.listing import is_shown, list_host
from tests.backends.workspace.overlays import Workspace


def test_files_links_and_folders_are_listed_and_nothing_else(workspace: Workspace) -> None:
    root = workspace.root
    for path in ("a", "b/c", ".git/config", "node_modules/x", "sub/.git/HEAD", ".env", "b/id_rsa"):
        workspace.write(path)
    (root / "out").symlink_to("/etc")
    os.mkfifo(root / "fifo")
    found = list_host(str(root), frozenset({".env", "b/id_rsa"}))
    kinds = {path: entry.kind for path, entry in found.items()}
    folders = {"": "folder", "b": "folder", "sub": "folder"}
    assert kinds == {**folders, "a": "file", "b/c": "file", "out": "link"}
    assert found["a"].ctime_ns == (root / "a").lstat().st_ctime_ns


def test_a_folder_that_cannot_be_read_is_empty(workspace: Workspace) -> None:
    workspace.write("closed/a")
    (workspace.root / "closed").chmod(0)
    found = list_host(str(workspace.root), frozenset())
    (workspace.root / "closed").chmod(0o755)
    assert "closed" in found
    assert ("closed/a" in found) == (os.geteuid() == 0)


def test_odd_names_are_not_shown() -> None:
    assert is_shown("src/a b/ü")
    for path in ("a\n", ".GIT/config", "a/.venv/b", "x/\udcff"):
        assert not is_shown(path)
