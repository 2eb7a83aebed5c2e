"""Executions over REST: what curl can do."""

import asyncio
import base64
from pathlib import Path

import pytest

from tests.daemon.daemons import Daemon, Json, Setting, execution_path, play, run_request, running


async def sandbox(daemon: Daemon) -> str:
    """Make a sandbox that stays; return its path."""
    body = run_request("x", options={"sandbox": "dev"})
    del body["command"]
    status, made = await daemon.ask("POST", "/v1/sandboxes", body)
    assert status == 201
    return f"/v1/sandboxes/{made['id']}"


async def execute(daemon: Daemon, path: str, *command: str, **options: object) -> Json:
    """Start a command; return its record."""
    body = {"command": list(command), "options": {"detach": True, **options}}
    status, made = await daemon.ask("POST", f"{path}/executions", body)
    assert status == 201, made
    return made


def test_create_run_read_end_by_rest_alone(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            path = await sandbox(daemon)
            made = await execute(daemon, path, "echo", "hello")
            lines = await daemon.lines(f"{path}/executions/{made['id']}/output?follow=true")
            assert lines[0].pop("time") > "2026"
            assert lines[0] == {
                "type": "output",
                "stream": 1,
                "offset": 0,
                "text": "hello\n",
                "base64": None,
            }
            assert lines[-1]["type"] == "exit"
            assert lines[-1]["execution"]["exit_code"] == 0
            assert (await daemon.ask("POST", f"{path}/stop"))[1]["state"] == "stopped"
            listed = (await daemon.ask("GET", f"{path}/executions"))[1]["executions"]
            assert [each["id"] for each in listed] == [made["id"]]

    play(conversation())


def test_output_can_be_read_again_from_any_byte(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("echo", "hello")
            await daemon.finished(run)
            lines = await daemon.lines(f"{execution_path(run)}/output?stdout_from=2")
            assert (lines[0]["offset"], lines[0]["text"]) == (2, "llo\n")
            none = await daemon.lines(f"{execution_path(run)}/output?stdout_from=900")
            assert [line["type"] for line in none] == ["exit"]

    play(conversation())


def test_output_without_follow_ends_with_what_there_is(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", stdin=True)
            path = execution_path(run)
            async with daemon.http.post(f"http://d{path}/stdin", data=b"\xff\xfe") as response:
                assert response.status == 204
            await asyncio.wait_for(daemon.until_output(run, 2), 5)
            lines = await daemon.lines(f"{path}/output")
            assert base64.b64decode(lines[0]["base64"]) == b"\xff\xfe"
            assert lines[-1]["execution"]["state"] == "running"

    play(conversation())


def test_input_over_rest_ends_when_it_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", stdin=True)
            path = execution_path(run)
            async with daemon.http.post(f"http://d{path}/stdin?eof=true", data=b"abc") as response:
                assert response.status == 204
            assert (await daemon.finished(run))["exit_code"] == 0
            async with daemon.http.post(f"http://d{path}/stdin", data=b"late") as response:
                assert response.status == 409

    play(conversation())


def test_a_foreground_run_may_be_read_instead_of_attached_to(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("flood", "3000000", detach=False)
            lines = await daemon.lines(f"{execution_path(run)}/output?follow=true")
            assert sum(len(each["text"]) for each in lines if each["type"] == "output") == 3_000_000
            assert lines[-1]["run"]["exit_code"] == 0

    play(conversation())


def test_a_reader_that_a_foreground_run_counts_on_cancels_it_by_going(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False)
            response = await daemon.http.get(f"http://d{execution_path(run)}/output?follow=true")
            response.close()
            assert (await daemon.finished(run))["state"] == "canceled"

    play(conversation())


def test_cancel_and_signals(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("stubborn")
            path = execution_path(run)
            assert (await daemon.ask("POST", f"{path}/signal", {"signal": "USR1"}))[0] == 200
            status, problem = await daemon.ask("POST", f"{path}/signal", {"signal": "SEGV"})
            assert (status, problem["code"]) == (400, "request_invalid")
            assert (await daemon.ask("POST", f"{path}/signal", {"signal": "KILL"}))[0] == 200
            assert (await daemon.finished(run))["exit_code"] == 137
            for action in ("cancel", "cancel"):
                assert (await daemon.ask("POST", f"{path}/{action}"))[1]["state"] == "failed"
            assert (await daemon.ask("POST", f"{path}/signal", {"signal": "TERM"}))[0] == 200
            other = await daemon.run("sleep")
            assert (await daemon.ask("POST", f"{execution_path(other)}/cancel"))[0] == 200
            assert (await daemon.finished(other))["state"] == "canceled"

    play(conversation())


def test_waiting_ends_with_the_time_given(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep")
            status, execution = await daemon.ask("GET", f"{execution_path(run)}?wait_s=1")
            assert (status, execution["state"]) == (200, "running")

    play(conversation())


def test_many_commands_at_once_each_get_their_own(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            path = await sandbox(daemon)
            made = await asyncio.gather(
                *(execute(daemon, path, "exit", str(number)) for number in range(32))
            )
            done = await asyncio.gather(
                *(daemon.ask("GET", f"{path}/executions/{each['id']}?wait_s=20") for each in made)
            )
            assert [each["exit_code"] for _, each in done] == list(range(32))

    play(conversation())


@pytest.mark.parametrize("action", ["", "/output", "/cancel"])
def test_an_execution_is_found_only_in_its_own_sandbox(short_path: Path, action: str) -> None:
    async def conversation() -> None:
        method = "POST" if action == "/cancel" else "GET"
        async with running(Setting(short_path)) as daemon:
            mine, other = await daemon.run("true"), await daemon.run("true")
            await daemon.finished(mine)
            path = f"/v1/sandboxes/{other['sandbox_id']}/executions/{mine['execution_id']}"
            status, problem = await daemon.ask(method, f"{path}{action}")
            assert (status, problem["code"]) == (404, "execution_not_found")
            nowhere = f"/v1/sandboxes/nowhere/executions/{mine['execution_id']}"
            status, problem = await daemon.ask(method, f"{nowhere}{action}")
            assert (status, problem["code"]) == (404, "sandbox_not_found")

    play(conversation())


def test_what_belongs_to_no_sandbox_is_not_found(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            body = {"command": ["true"]}
            for method, path in (
                ("POST", "/v1/sandboxes/nowhere/executions"),
                ("GET", "/v1/sandboxes/nowhere/executions"),
            ):
                status, problem = await daemon.ask(method, path, body if method == "POST" else None)
                assert (status, problem["code"]) == (404, "sandbox_not_found")

    play(conversation())
