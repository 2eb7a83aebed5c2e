import os
from pathlib import Path

import pytest

from cleanroom.backends.namespaces import ids
from cleanroom.backends.namespaces.ids import COUNT, FIRST, HostIds
from cleanroom.backends.namespaces.plan import Ids

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
