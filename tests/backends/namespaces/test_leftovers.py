import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from cleanroom.backends.cgroups import Hierarchy
from cleanroom.backends.namespaces.leftovers import Records, started
from tests.backends.machines import within


def test_a_record_names_the_process_and_when_it_started(tmp_path: Path) -> None:
    Records(tmp_path).write("sbx_1", os.getpid())
    record = json.loads((tmp_path / "sandboxes/sbx_1/runtime.json").read_text())
    assert record == {"pid": os.getpid(), "started": started(os.getpid())}
    assert (tmp_path / "sandboxes/sbx_1").stat().st_mode & 0o777 == 0o700


def test_forgetting_keeps_what_others_put_there(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.write("sbx_1", 1)
    (tmp_path / "sandboxes/sbx_1/upper").mkdir()
    records.forget("sbx_1")
    assert [p.name for p in (tmp_path / "sandboxes/sbx_1").iterdir()] == ["upper"]
    records.forget("sbx_1")
    records.forget("sbx_2")


def test_a_process_that_is_still_there_is_killed(tmp_path: Path) -> None:
    records = Records(tmp_path)
    groups = Hierarchy(2, {"pids": tmp_path / "groups"})
    (tmp_path / "groups/cleanroom-sbx_1").mkdir(parents=True)
    with subprocess.Popen(["/bin/sleep", "20"]) as left:  # noqa: TID251 -- a dead daemon's
        records.write("sbx_1", left.pid)
        within(5, records.reclaim("sbx_1", groups))
        assert left.wait() == -9
    assert not (tmp_path / "sandboxes/sbx_1").exists()
    assert list((tmp_path / "groups").iterdir()) == []


def test_a_group_that_empties_late_is_removed_all_the_same(tmp_path: Path) -> None:
    group = tmp_path / "groups/cleanroom-sbx_1"
    group.mkdir(parents=True)
    (group / "dying").touch()  # the folder cannot be removed yet

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(0.1, (group / "dying").unlink)
        await Records(tmp_path).reclaim("sbx_1", Hierarchy(1, {"pids": tmp_path / "groups"}))

    within(5, scenario())
    assert not group.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"pid": "x", "started": 1}', '{"pid": 999999999, "started": 5}', "null"],
)
def test_a_spoilt_record_kills_nothing(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "sandboxes/sbx_1"
    folder.mkdir(parents=True)
    (folder / "runtime.json").write_text(text)
    within(5, Records(tmp_path).reclaim("sbx_1", None))
    assert not folder.exists()


def test_a_process_that_does_not_exist_never_started() -> None:
    assert started(999999999) == 0
    assert started(1) > 0
