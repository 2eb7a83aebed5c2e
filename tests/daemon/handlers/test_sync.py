"""Bringing edits inside over the API: once, for as long as somebody listens, one at a time."""

import asyncio
import json
from pathlib import Path

from cleanroom.daemon.parts import Synced
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Daemon, Json, Setting, play, run_request, running
from tests.fake_workspaces import FakeWorkspaces

WRITTEN = {"type": "sync", "path": "a", "what": "written", "reason": ""}


def fakes(daemon: Daemon) -> FakeWorkspaces:
    workspaces = daemon.host.workspaces
    assert isinstance(workspaces, FakeWorkspaces)
    return workspaces


async def lines(daemon: Daemon) -> list[Json]:
    async with daemon.http.post("http://d/v1/sandboxes/dev/sync") as answer:
        assert answer.status == 200
        return [json.loads(line) async for line in answer.content]


async def start(daemon: Daemon, **options: object) -> Json:
    body = run_request("sleep", "600", options={"detach": True, "sandbox": "dev", **options})
    status, run = await daemon.ask("POST", "/v1/runs", body)
    assert status == 201, run
    return run


def test_edits_are_brought_once(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon)
            fakes(daemon).edits.append([Synced("a", "written"), Synced("b", "conflict", "why")])
            first, second, last = await lines(daemon)
            assert first == WRITTEN
            assert (second["reason"], last["type"], last["lines"]) == ("why", "exit", 2)
            (follower,) = fakes(daemon).followers
            assert follower.closed

    play(conversation())


def test_a_sandbox_that_does_not_take_them_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon)
            fakes(daemon).edits.append(Fault(Code.RUNTIME_LAUNCH_FAILED, "cannot write"))
            (line,) = await lines(daemon)
            assert line["problem"]["detail"] == "cannot write"

    play(conversation())


def test_a_sandbox_that_ended_or_has_no_copy_takes_none(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon, workspace_mode="ro")
            status, problem = await daemon.ask("POST", "/v1/sandboxes/dev/sync")
            assert (status, "workspace is ro" in problem["detail"]) == (409, True)
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            status, problem = await daemon.ask("POST", "/v1/sandboxes/dev/sync")
            assert (status, "it is stopped" in problem["detail"]) == (409, True)
            assert (await daemon.ask("POST", "/v1/sandboxes/none/sync"))[0] == 404

    play(conversation())


def test_a_follower_goes_on_until_the_sandbox_ends(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon)
            at = "http://d/v1/sandboxes/dev/sync?follow=true"
            async with asyncio.timeout(60), daemon.http.post(at) as answer:
                (follower,) = fakes(daemon).followers
                for _ in range(2):
                    follower.edits.append([Synced("a", "written")])
                    follower.change.set()
                    assert json.loads(await answer.content.readline()) == WRITTEN
                status, problem = await daemon.ask("POST", "/v1/sandboxes/dev/sync")
                assert (status, "somebody does that" in problem["detail"]) == (409, True)
                await daemon.ask("POST", "/v1/sandboxes/dev/stop")
                last = json.loads(await answer.content.readline())
                assert (last["type"], last["lines"]) == ("exit", 2)
            assert follower.closed

    play(conversation())


def test_an_agent_that_is_gone_is_an_end_like_any_other(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon)
            at = "http://d/v1/sandboxes/dev/sync?follow=true"
            async with asyncio.timeout(60), daemon.http.post(at) as answer:
                (follower,) = fakes(daemon).followers
                gone = Fault(Code.BACKEND_TRANSPORT_ERROR, "cannot reach the agent")
                await follower.asked.wait()
                follower.asked.clear()
                follower.edits.append(gone)
                follower.change.set()
                await follower.asked.wait()
                await daemon.ask("POST", "/v1/sandboxes/dev/stop")
                assert json.loads(await answer.content.readline())["type"] == "exit"

    play(conversation())
