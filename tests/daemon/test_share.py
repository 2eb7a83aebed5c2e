"""Both sides kept in step: what is asked of the follower, when, and what the person hears."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.parts import Synced
from cleanroom.daemon.share import LOOK_S, TOLD, Share
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Daemon, Json, Setting, play, run_request, running
from tests.fake_follower import FakeFollower
from tests.fake_workspaces import FakeWorkspaces

Work = Callable[[Share, FakeFollower], Awaitable[None]]


def shared(work: Work) -> tuple[FakeFollower, list[str]]:
    """Do some work while a share is kept; its follower, and what was told."""
    told: list[str] = []
    follower = FakeFollower([], [])

    async def scenario() -> None:
        share = Share(follower, SystemClock(), told.append)
        ended = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(share.keep(ended))
            await work(share, follower)
            ended.set()

    asyncio.run(scenario())
    return follower, told


def test_what_a_sandbox_wrote_is_carried() -> None:
    async def work(share: Share, follower: FakeFollower) -> None:
        await follower.asked.wait()
        follower.written = "something"
        await follower.was_carried.wait()
        await share.settle()

    follower, told = shared(work)
    assert set(follower.carried) == {"something"}
    assert follower.closed
    assert told == []


def test_what_stays_inside_and_what_conflicts_is_told_once() -> None:
    async def work(share: Share, follower: FakeFollower) -> None:
        follower.stays = [("uv.lock", "a lock file")]
        edits = [Synced("a", "written"), Synced("b", "conflict", "changed inside too")]
        follower.edits += [edits, edits]
        for _ in range(2):
            await share.bring()
            await share.settle()

    _, told = shared(work)
    assert sorted(told) == [
        "the host's b is not brought inside: changed inside too",
        "uv.lock stays inside: a lock file",
    ]


def test_after_its_end_neither_side_is_looked_at() -> None:
    """The sandbox's side may be gone by then, a while before the sandbox is said to have ended."""

    async def work(share: Share, follower: FakeFollower) -> None:
        await follower.asked.wait()
        follower.written = "last"
        await share.end()
        assert follower.carried[-1] == "last"
        before = len(follower.carried), follower.looks
        follower.written = "more"
        follower.edits.append([Synced("a", "conflict", "changed inside too")])
        follower.change.set()
        await share.bring()
        for _ in range(3):
            await asyncio.sleep(2 * LOOK_S)
        assert (len(follower.carried), follower.looks) == before

    assert shared(work)[1] == []


def test_a_fault_is_told_and_the_next_look_goes_on() -> None:
    async def work(share: Share, follower: FakeFollower) -> None:
        follower.edits.append(Fault(Code.RUNTIME_LAUNCH_FAILED, "cannot write inside"))
        follower.stays = Fault(Code.INTERNAL, "cannot write on the host")
        await share.bring()
        await share.settle()
        follower.stays = [("a", "changed on the host since")]
        await share.settle()

    _, told = shared(work)
    assert sorted(told) == [
        "a stays inside: changed on the host since",
        "cannot write inside",
        "cannot write on the host",
    ]


def test_a_sandbox_cannot_fill_the_record_with_names() -> None:
    async def work(share: Share, follower: FakeFollower) -> None:
        follower.stays = [(f"{number}.lock", "a lock file") for number in range(10 * TOLD)]
        await share.settle()

    assert len(shared(work)[1]) == TOLD


def test_a_writer_without_a_pause_is_carried_all_the_same() -> None:
    async def work(_: Share, follower: FakeFollower) -> None:
        follower.restless = True
        await follower.was_carried.wait()

    assert shared(work)[0].carried


def test_a_live_run_is_kept_in_step_from_its_start_to_its_end(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await live(daemon)
            (follower,) = fakes(daemon).followers
            assert any("the workspace is live" in note for note in run["notes"])
            path = "/v1/sandboxes/dev/executions"
            status, _ = await daemon.ask("POST", path, {"command": ["true"]})
            assert status == 201
            assert follower.asked.is_set()
            follower.stays = [("uv.lock", "a lock file")]
            follower.carried.clear()
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            assert follower.carried
            record = (await daemon.ask("GET", f"/v1/runs/{run['id']}"))[1]
            assert "uv.lock stays inside: a lock file" in record["notes"]

    play(conversation())


async def live(daemon: Daemon) -> Json:
    options: Json = {"detach": True, "sandbox": "dev", "workspace_mode": "live"}
    status, run = await daemon.ask("POST", "/v1/runs", run_request("sleep", "600", options=options))
    assert status == 201, run
    return run


def fakes(daemon: Daemon) -> FakeWorkspaces:
    workspaces = daemon.host.workspaces
    assert isinstance(workspaces, FakeWorkspaces)
    return workspaces
