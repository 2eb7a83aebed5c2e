import os
from pathlib import Path

import pytest

from cleanroom.backends.launcher import LaunchError
from cleanroom.backends.namespaces import ids
from cleanroom.backends.namespaces.ids import COUNT, FIRST, HostIds
from cleanroom.backends.namespaces.plan import Ids
from cleanroom.backends.workspace.upkeep import remove_tree

ROOT = Ids(0, 0)


def test_an_ordinary_users_sandboxes_run_as_that_user() -> None:
    me = HostIds(Ids(1001, 1002))
    assert me.rootless
    assert me.take(()) == me.take(()) == me.example() == Ids(1001, 1002)


def test_a_root_daemon_gives_each_sandbox_a_user_of_its_own() -> None:
    root = HostIds(ROOT)
    assert not root.rootless
    example = root.example()
    taken = [root.take(()) for _ in range(50)]
    assert taken[0] == example
    assert len(set(taken)) == 50
    assert all(FIRST <= each.uid < FIRST + COUNT and each.gid == each.uid for each in taken)


def test_two_daemons_start_at_different_places() -> None:
    assert len({HostIds(ROOT).example() for _ in range(20)}) > 10


def test_a_sandbox_that_comes_back_keeps_the_user_that_owns_its_files(tmp_path: Path) -> None:
    root = HostIds(ROOT)
    assert root.take((tmp_path,)) != Ids(os.geteuid(), os.getegid())  # not of the range
    if os.geteuid() == 0:
        os.chown(tmp_path, FIRST + 7, FIRST + 7)
        assert root.take((tmp_path,)) == Ids(FIRST + 7, FIRST + 7)
        assert root.take((tmp_path,)) != Ids(FIRST + 7, FIRST + 7)  # it is alive
        root.release(Ids(FIRST + 7, FIRST + 7))
        assert root.take((tmp_path,)) == Ids(FIRST + 7, FIRST + 7)


def test_a_layer_is_given_with_all_that_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    if os.geteuid() != 0:  # nobody else has files of other users to give
        ids.give(tmp_path, Ids(os.geteuid(), os.getegid()))
        return
    layer, outside = tmp_path / "layer", tmp_path / "outside"
    (layer / "a/b").mkdir(parents=True)
    outside.mkdir()
    for place in (layer / "a/b/file", outside / "file"):
        place.touch()
    (layer / "a/link").symlink_to(outside)
    for place in (layer, layer / "a", layer / "a/b", layer / "a/b/file"):
        os.chown(place, FIRST + 1, FIRST + 1)
    ids.give(layer, Ids(FIRST + 2, FIRST + 3))
    every = [layer, *layer.rglob("*")]
    assert {(at.lstat().st_uid, at.lstat().st_gid) for at in every} == {(FIRST + 2, FIRST + 3)}
    assert {at.lstat().st_uid for at in (outside, outside / "file")} == {0}
    ids.give(outside, Ids(FIRST + 2, FIRST + 3))  # new: nothing of a sandbox is in it
    assert (outside.stat().st_uid, (outside / "file").stat().st_uid) == (FIRST + 2, 0)


def test_a_layer_without_end_is_not_given(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, FIRST + 1, FIRST + 1)
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1002):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    owner = Ids(FIRST + 2, FIRST + 2) if os.geteuid() == 0 else Ids(os.geteuid(), os.getegid())
    with pytest.raises(LaunchError, match="more than 1000 folders"):
        ids.give_entries(tmp_path, owner)
    remove_tree(tmp_path)


def test_an_id_that_an_account_has_is_known() -> None:
    assert ids._known(0)
    assert not ids._known(FIRST + 5)


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("ann:1879048000:65536", True),
        ("ann:1879048193:1", True),
        ("ann:100000:65536", False),
        ("ann:x:65536", False),
        ("ann", False),
        ("", False),
    ],
)
def test_ids_of_somebodys_containers_are_left_alone(
    tmp_path: Path,
    line: str,
    taken: bool,  # noqa: FBT001
) -> None:
    table = tmp_path / "subuid"
    table.write_text(f"# comment\n{line}\n")
    assert ids._subordinate(0x70000001, table) is taken


def test_without_a_table_nobody_has_containers(tmp_path: Path) -> None:
    assert ids._subordinate(FIRST, tmp_path / "absent") is False
