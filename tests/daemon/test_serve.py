"""A daemon's life: it ends when idle and when told to, never while a sandbox lives."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.daemon.serve import Listening, serve
from cleanroom.errors import Refused
from tests.daemon.daemons import Setting, make_host, play, running
from tests.fakes import FakeClock


def test_an_idle_daemon_ends_by_itself(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        host = make_host(setting)
        async with asyncio.timeout(10):
            await serve(host, Listening(setting.paths.socket, 0.2), asyncio.Event())
        assert not setting.paths.socket.exists()

    play(conversation())


def test_it_does_not_end_while_a_sandbox_lives(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock, idle_exit_s=1.0)) as daemon:
            run = await daemon.run("sleep")
            await clock.advance(600)
            await asyncio.sleep(0.6)  # it looks every quarter of a second of the real clock
            assert (await daemon.ask("GET", "/v1/health"))[1]["idle"] is False
            await daemon.ask("POST", f"/v1/sandboxes/{run['sandbox_id']}/stop")

    play(conversation())


def test_a_second_daemon_on_the_same_state_is_refused(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            other = Listening(short_path / "other.sock")
            with pytest.raises(Refused, match="another daemon has"):
                await serve(daemon.host, other, asyncio.Event())

    play(conversation())


def test_start_and_stop_are_audited(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting):
            pass
        async with running(setting) as daemon:
            lines = await daemon.lines("/v1/audit")
            kinds = [line["record"]["kind"] for line in lines if line["type"] == "record"]
            assert kinds == ["daemon.started", "daemon.stopped", "daemon.started"]

    play(conversation())
