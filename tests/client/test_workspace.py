"""Which folder is the workspace, and which policy counts."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom.client.workspace import (
    POLICY_LIMIT,
    Caller,
    Policy,
    check_root,
    find_workspace,
    read_policy,
)
from cleanroom.errors import Code, Refused, UserError

ME = Caller(os.getuid(), ("/nonexistent",))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "pkg" / "deep").mkdir(parents=True)
    return root


def write(root: Path, path: str, text: str = "version: 1\n") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_the_top_level_is_the_workspace_and_the_folder_is_kept(repository: Path) -> None:
    found = find_workspace(str(repository / "pkg" / "deep"), ME)
    assert found.root == str(repository)
    assert found.subfolder == "pkg/deep"
    assert found.policy == Policy("", None, shadowed=False)


def test_a_worktree_has_a_git_file(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    assert find_workspace(str(tmp_path), ME).root == str(tmp_path)


def test_without_git_the_nearest_policy_says_where_the_root_is(tmp_path: Path) -> None:
    write(tmp_path, ".buildkite/cleanroom.yaml")
    (tmp_path / "a").mkdir()
    found = find_workspace(str(tmp_path / "a"), ME)
    assert (found.root, found.subfolder) == (str(tmp_path), "a")
    assert found.policy.path == ".buildkite/cleanroom.yaml"


def test_without_either_the_folder_itself_is_the_workspace(tmp_path: Path) -> None:
    assert find_workspace(str(tmp_path), ME).root == str(tmp_path)


def test_a_link_to_a_folder_is_followed_first(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "pkg")
    found = find_workspace(str(tmp_path / "link"), ME)
    assert (found.root, found.subfolder) == (str(repository), "pkg")


def test_the_root_file_wins_and_the_other_is_shadowed(repository: Path) -> None:
    write(repository, ".buildkite/cleanroom.yaml", "version: 2\n")
    assert find_workspace(str(repository), ME).policy.text == "version: 2\n"
    write(repository, "cleanroom.yaml")
    assert read_policy(str(repository), ME.uid) == Policy(
        "cleanroom.yaml", "version: 1\n", shadowed=True
    )


def test_a_policy_below_the_root_is_named_and_not_read(repository: Path) -> None:
    write(repository, "pkg/cleanroom.yaml")
    found = find_workspace(str(repository / "pkg" / "deep"), ME)
    assert found.ignored == "pkg/cleanroom.yaml"
    assert found.policy.text is None


@pytest.mark.parametrize("home", ["", "inside", "inside/deeper"])
def test_a_home_or_a_folder_that_holds_one_is_refused(tmp_path: Path, home: str) -> None:
    (tmp_path / home).mkdir(parents=True, exist_ok=True)
    with pytest.raises(Refused, match="holds a home folder"):
        find_workspace(str(tmp_path), Caller(ME.uid, (str(tmp_path / home),)))


def test_a_folder_beside_a_home_is_not_refused(tmp_path: Path) -> None:
    root = tmp_path / "proj"
    root.mkdir()
    check_root(str(root), Caller(ME.uid, (str(tmp_path / "proj2"), "", str(tmp_path))))


def test_the_root_of_all_is_refused() -> None:
    with pytest.raises(Refused, match="holds a home folder"):
        check_root("/", ME)


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="belongs to uid"):
        find_workspace(str(tmp_path), Caller(ME.uid + 1, ()))


@pytest.mark.parametrize("name", ["absent", "file"])
def test_only_a_folder_can_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot use") as refused:
        find_workspace(str(tmp_path / name), ME)
    assert refused.value.hint


def test_a_link_inside_the_workspace_is_read(repository: Path) -> None:
    write(repository, "ci/policy.yaml")
    (repository / "cleanroom.yaml").symlink_to("ci/policy.yaml")
    assert read_policy(str(repository), ME.uid).text == "version: 1\n"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("link out", "leads out"),
        ("dangling link", "No such file"),
        ("fifo", "not a regular file"),
        ("folder", "not a regular file"),
        ("device", "leads out"),
        ("socket", "cannot read"),
        ("large", "larger than 64 KiB"),
        ("binary", "not UTF-8"),
    ],
)
def test_a_policy_that_is_no_small_text_inside_is_refused(
    short_path: Path, kind: str, why: str
) -> None:
    root = short_path / "r"
    root.mkdir()
    path = root / "cleanroom.yaml"
    (short_path / "secret").write_text("key: hunter2\n")
    sock = socket.socket(socket.AF_UNIX)
    make: dict[str, Callable[[], object]] = {
        "link out": lambda: path.symlink_to("../secret"),
        "dangling link": lambda: path.symlink_to("absent"),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "socket": lambda: sock.bind(str(path)),
        "large": lambda: path.write_bytes(b"#" * (POLICY_LIMIT + 1)),
        "binary": lambda: path.write_bytes(b"\xff\xfe"),
    }
    make[kind]()
    with sock, pytest.raises(UserError, match=why) as caught:
        read_policy(str(root), ME.uid)
    assert caught.value.code is Code.POLICY_INVALID
    assert "hunter2" not in caught.value.message


def test_a_policy_of_another_user_is_refused(repository: Path) -> None:
    write(repository, "cleanroom.yaml")
    with pytest.raises(UserError, match="belongs to uid"):
        read_policy(str(repository), ME.uid + 1)


def test_a_policy_of_exactly_the_limit_is_read(repository: Path) -> None:
    write(repository, "cleanroom.yaml", "#" * POLICY_LIMIT)
    assert len(read_policy(str(repository), ME.uid).text or "") == POLICY_LIMIT
