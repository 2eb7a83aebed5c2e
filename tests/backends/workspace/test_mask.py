"""The mask over a repository."""

import stat
from pathlib import Path

from cleanroom.backends.workspace.mask import git_configs, make_mask


def test_nothing_to_hide_is_no_mask(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    assert not make_mask(tmp_path / "m", str(tmp_path / "r"), (), ("none",))


def test_what_is_hidden_is_a_whiteout_in_folders_of_the_same_mode(tmp_path: Path) -> None:
    folder = tmp_path / "r" / "closed"
    folder.mkdir(parents=True)
    (folder / ".env").touch()
    folder.chmod(0o555)
    assert make_mask(tmp_path / "m", str(tmp_path / "r"), ("closed/.env", "closed/key"), ())
    facts = (tmp_path / "m/closed/.env").lstat()
    assert stat.S_ISCHR(facts.st_mode)
    assert facts.st_rdev == 0
    assert (tmp_path / "m/closed").stat().st_mode & 0o777 == 0o555
    folder.chmod(0o755)
    (tmp_path / "m/closed").chmod(0o755)


def test_what_vanished_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    assert not make_mask(tmp_path / "m", str(tmp_path / "r"), ("gone/.env",), ())


def test_a_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    git = tmp_path / "r/.git"
    git.mkdir(parents=True)
    (git / "config").write_text("[http]\n\textraheader = x\n[core]\n")
    (git / "config.worktree").write_text("[core]\n")
    (git / "config").chmod(0o640)
    configs = git_configs(str(tmp_path / "r"), ".git")
    assert make_mask(tmp_path / "m", str(tmp_path / "r"), (), configs)
    assert (tmp_path / "m/.git/config").read_text() == "[http]\n[core]\n"
    assert (tmp_path / "m/.git/config").stat().st_mode & 0o777 == 0o640
    assert [place.name for place in (tmp_path / "m/.git").iterdir()] == ["config"]


def test_a_configuration_that_cannot_be_read_is_hidden(tmp_path: Path) -> None:
    git = tmp_path / "r/.git"
    git.mkdir(parents=True)
    (git / "config").symlink_to("/etc/passwd")
    with (git / "config.worktree").open("wb") as file:
        file.truncate(2 * 1024 * 1024)
    configs = git_configs(str(tmp_path / "r"), ".git")
    assert make_mask(tmp_path / "m", str(tmp_path / "r"), (), configs)
    for name in ("config", "config.worktree"):
        assert stat.S_ISCHR((tmp_path / "m/.git" / name).lstat().st_mode)


def test_the_configurations_of_submodules_and_worktrees_count_too(tmp_path: Path) -> None:
    for place in ("modules/a", "modules/a/modules/b", "worktrees/w", "modules/a/objects"):
        folder = tmp_path / ".git" / place
        folder.mkdir(parents=True)
        (folder / "config").touch()
    assert git_configs(str(tmp_path), ".git") == [
        ".git/config",
        ".git/config.worktree",
        ".git/modules/a/config",
        ".git/modules/a/modules/b/config",
        ".git/worktrees/w/config",
    ]
