"""Every run reaches its end, whatever fails on the way (C12)."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.daemon import finish
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Setting, play, run_request, running
from tests.fakes import FakeClock


def test_a_foreground_command_nobody_attaches_to_is_canceled(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            status, run = await daemon.ask("POST", "/v1/runs", run_request("sleep"))
            assert status == 201
            wait_s = daemon.host.config.settings.daemon.attach_wait
            await clock.advance(wait_s - 1)
            assert len(daemon.host.sandboxes.live) == 1
            await clock.advance(2)
            done = await daemon.finished(run)
            assert done["state"] == "canceled"
            assert done["failure"]["reason"] == "nobody attached to it in time"

    play(conversation())


def test_a_sandbox_that_dies_ends_its_run_with_the_reason(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            done = await daemon.finished(await daemon.run("crash"))
            assert (done["state"], done["exit_code"]) == ("failed", None)
            assert done["failure"]["code"] == "backend_transport_error"

    play(conversation())


def test_a_run_ends_even_if_its_changes_cannot_be_counted(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            daemon.backend.changes_fault = Fault(Code.INTERNAL, "cannot read the changes")
            done = await daemon.finished(await daemon.run("true"))
            assert (done["exit_code"], done["changed_files"]) == (0, None)
            assert done["notes"][1:] == ["cannot read the changes"]

    play(conversation())


def test_a_run_ends_even_if_it_cannot_be_recorded(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("sleep")
            live = daemon.host.sandboxes.live[0].runs[run["id"]]
            setting.paths.runs.mkdir()
            (setting.paths.runs / run["id"]).write_text("in the way")
            await daemon.ask("POST", f"/v1/sandboxes/{run['sandbox_id']}/stop")
            await asyncio.wait_for(live.finished.wait(), 5)
            assert "the run is not recorded" in live.record.notes[-1]

    play(conversation())


def test_first_output_is_timed_only_if_there_was_one(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            silent = await daemon.finished(await daemon.run("true"))
            assert silent["timings"]["first_output_ms"] is None
            loud = await daemon.finished(await daemon.run("echo", "x"))
            assert loud["timings"]["first_output_ms"] > 0

    play(conversation())


def test_output_that_comes_with_the_end_is_timed_too(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def has_no_turn_before_the_end(*_: object) -> None:
        await asyncio.Event().wait()

    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            silent = await daemon.finished(await daemon.run("true"))
            assert silent["timings"]["first_output_ms"] is None
            loud = await daemon.finished(await daemon.run("echo", "x"))
            assert loud["timings"]["first_output_ms"] > 0

    monkeypatch.setattr(finish, "_time_first_output", has_no_turn_before_the_end)
    play(conversation())
