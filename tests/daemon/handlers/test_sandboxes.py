"""Sandboxes over the API: events, lists."""

import asyncio
import json
from pathlib import Path

from tests.daemon.daemons import Setting, play, running


def test_events_are_followed_until_the_sandbox_ends(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            following = asyncio.get_running_loop().create_task(
                daemon.lines("/v1/sandboxes/dev/events?follow=true")
            )
            daemon.backend.gateway.record(run["sandbox_id"], daemon.refusal("evil.test", 443))
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            lines = await asyncio.wait_for(following, 5)
            kinds = [line.get("kind", line["type"]) for line in lines]
            assert kinds[:3] == ["sandbox.created", "sandbox.ready", "execution.started"]
            assert "network" in kinds
            assert kinds[-3:] == ["execution.finished", "sandbox.stopped", "exit"]
            assert lines[-1]["sandbox"]["state"] == "stopped"

    play(conversation())


def test_events_without_follow_end_with_what_there_is(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await daemon.run("sleep", sandbox="dev")
            lines = await daemon.lines("/v1/sandboxes/dev/events?after=2")
            assert [line.get("kind", line["type"]) for line in lines] == [
                "execution.started",
                "exit",
            ]
            assert lines[-1]["sandbox"]["state"] == "ready"

    play(conversation())


def test_a_follower_that_goes_away_leaves_the_sandbox_alone(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await daemon.run("sleep", sandbox="dev")
            response = await daemon.http.get("http://d/v1/sandboxes/dev/events?follow=true")
            first = json.loads(await response.content.readline())
            assert first["kind"] == "sandbox.created"
            response.close()
            assert (await daemon.ask("GET", "/v1/sandboxes/dev"))[1]["state"] == "ready"

    play(conversation())


def test_an_unknown_sandbox_is_not_found_anywhere(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for method, path in (("GET", ""), ("POST", "/stop"), ("GET", "/events")):
                status, problem = await daemon.ask(method, f"/v1/sandboxes/nowhere{path}")
                assert (status, problem["code"]) == (404, "sandbox_not_found")

    play(conversation())
