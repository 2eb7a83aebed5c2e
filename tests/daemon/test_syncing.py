"""The follower with a machine that answers as told; a real one: tests/escape/test_sync.py."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.backends.workspace.sync import Memory
from cleanroom.backends.workspace.watch import Watch
from cleanroom.daemon.parts import Side
from cleanroom.daemon.syncing import Follower, Sides
from cleanroom.errors import Code, Fault
from tests.backends.workspace.overlays import Workspace, later
from tests.fake_process import FakeProcess, Program
from tests.fakes import FakeBackend, FakeSandbox, empty_spec


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.write("a", "before")
    made.prepare()
    return made


async def _takes(process: FakeProcess) -> int:
    """A program that reads all its input and says nothing."""
    while await process.read():
        pass
    return 0


async def _fails(process: FakeProcess) -> int:
    await process.say(b"first\ntar: disk full\n", 2)
    return await _takes(process) + 2


def follower(
    workspace: Workspace, tar: Program | None, watch: Watch | None = None, shown: str = ""
) -> Follower:
    backend = FakeBackend(programs={"xargs": _fails, **({"tar": tar} if tar else {})})
    machine = FakeSandbox(backend, empty_spec())
    sides = Sides(Side(str(workspace.root), workspace.folder, shown=shown), machine, (), frozenset)
    return Follower(sides, watch)


def test_what_is_written_is_remembered_and_said_once(workspace: Workspace) -> None:
    async def scenario() -> None:
        made = follower(workspace, _takes)
        later(workspace.write("a", "edited"))
        assert [(each.path, each.what) for each in await made.bring()] == [("a", "written")]
        (workspace.folder / "workspace/upper/a").write_text("inside")
        later(workspace.write("a", "again"))
        (conflict,) = await made.bring()
        assert (conflict.what, conflict.reason) == ("conflict", "changed inside too")
        assert await made.bring() == []
        made.close()

    asyncio.run(scenario())


def test_what_a_sandbox_does_not_take_is_not_remembered(workspace: Workspace) -> None:
    async def scenario() -> None:
        later(workspace.write("a", "edited"))
        with pytest.raises(Fault, match="cannot write into the sandbox: tar: disk full"):
            await follower(workspace, _fails).bring()
        with pytest.raises(Fault, match="cannot run 'tar'"):
            await follower(workspace, None).bring()
        assert Memory.read(workspace.folder).brought == {}

    asyncio.run(scenario())


async def _vanishes(process: FakeProcess) -> int:
    process.end(Fault(Code.RUNTIME_LAUNCH_FAILED, "cannot reach the sandbox's agent: it has ended"))
    return 0


def test_a_sandbox_that_ends_in_the_middle_of_it_is_a_fault(workspace: Workspace) -> None:
    async def scenario() -> None:
        later(workspace.write("a", "edited"))
        with pytest.raises(Fault, match="cannot reach the sandbox's agent"):
            await follower(workspace, _vanishes).bring()
        assert Memory.read(workspace.folder).brought == {}

    asyncio.run(scenario())


def test_a_removal_that_fails_inside_is_no_fault(workspace: Workspace) -> None:
    async def scenario() -> None:
        made = follower(workspace, _takes)
        await made.bring()
        (workspace.root / "a").unlink()
        assert [(each.path, each.what) for each in await made.bring()] == [("a", "removed")]

    asyncio.run(scenario())


def test_a_change_in_a_new_folder_is_heard_of(workspace: Workspace) -> None:
    async def scenario() -> None:
        made = follower(workspace, _takes, Watch())
        await made.bring()
        async with asyncio.timeout(60):
            await made.changed()  # folders are watched from now on
            (workspace.root / "new").mkdir()
            await made.changed()
            await made.bring()
            await made.changed()
            (workspace.root / "new/file").touch()
            await made.changed()
            (workspace.root / "new/file").unlink()
            (workspace.root / "new").rmdir()
            await made.changed()
            await made.bring()
        made.close()

    asyncio.run(scenario())


def test_where_not_all_folders_can_be_watched_it_looks_now_and_then(workspace: Workspace) -> None:
    async def scenario() -> None:
        watch = Watch()
        watch.complete = False
        made = follower(workspace, _takes, watch)
        async with asyncio.timeout(60):
            await made.changed()
        made.close()

    asyncio.run(scenario())


def test_of_another_folder_a_person_is_told_where_it_is_seen(workspace: Workspace) -> None:
    async def scenario() -> None:
        workspace.write("a", "a")
        workspace.run("echo inside > a; ln -s / out; echo fine > fine")
        made = follower(workspace, _takes, shown="/data/")
        later(workspace.write("a", "of the host"))
        (conflict,) = await made.bring()
        assert (conflict.what, conflict.path) == ("conflict", "/data/a")
        reasons = dict(await made.carry())
        assert set(reasons) == {"/data/a", "/data/out"}
        assert (workspace.root / "fine").read_text() == "fine\n"

    asyncio.run(scenario())
