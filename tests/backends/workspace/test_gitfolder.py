"""Where a git folder is, and when the repository's word is not enough."""

from pathlib import Path

import pytest

from cleanroom.backends.workspace.gitfolder import GitFolder, find_git_folder

REFUSED = "git will not work inside"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """The root of a worktree, made as git makes it."""
    root = tmp_path / "tree"
    own = tmp_path / "main/.git/worktrees/tree"
    own.mkdir(parents=True)
    root.mkdir()
    (root / ".git").write_text(f"gitdir: {own}\n")
    (own / "gitdir").write_text(f"{root}/.git\n")
    (own / "commondir").write_text("../..\n")
    return root


def test_no_git_at_all(tmp_path: Path) -> None:
    assert find_git_folder(str(tmp_path)) == GitFolder()


def test_a_git_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert find_git_folder(str(tmp_path)) == GitFolder(inside=".git")


def test_a_worktree_names_its_main_folder(worktree: Path) -> None:
    assert find_git_folder(str(worktree)) == GitFolder(common=f"{worktree.parent}/main/.git")


@pytest.mark.parametrize("target", [".", "/etc"])
def test_a_link_is_not_shown(tmp_path: Path, target: str) -> None:
    (tmp_path / ".git").symlink_to(target)
    assert find_git_folder(str(tmp_path)).note.startswith("cannot show git's folder")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gitdir: /etc\n",
        "gitdir: ../main/.git/worktrees/tree\n",
        "gitdir: /etc/worktrees/x\n",
        "gitdir: /x/.git/worktrees/..\n",
        "gitdir: /x/.git/worktrees/a/b\n",
        "something else\n",
        "gitdir: /a\ngitdir: /b\n",
    ],
)
def test_a_file_that_names_something_else_is_refused(worktree: Path, text: str) -> None:
    (worktree / ".git").write_text(text)
    assert find_git_folder(str(worktree)).note.startswith(REFUSED)


@pytest.mark.parametrize("name", ["gitdir", "commondir"])
def test_a_main_folder_that_does_not_know_the_worktree_is_refused(
    worktree: Path, name: str
) -> None:
    place = worktree.parent / "main/.git/worktrees/tree" / name
    place.write_text("/another/.git\n")
    assert find_git_folder(str(worktree)).note.startswith(REFUSED)
    place.unlink()
    assert find_git_folder(str(worktree)).note.startswith(REFUSED)
    place.mkdir()
    assert find_git_folder(str(worktree)).note.startswith(REFUSED)


def test_a_way_through_a_link_is_refused(worktree: Path) -> None:
    (worktree.parent / "alias").symlink_to("main")
    (worktree / ".git").write_text(f"gitdir: {worktree.parent}/alias/.git/worktrees/tree\n")
    assert find_git_folder(str(worktree)).note.startswith(REFUSED)
