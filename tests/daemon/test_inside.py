"""Helper commands: bounded, ended whatever happens, awake while they run."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.daemon.inside import MOST, answer_of, helper, said
from tests.daemon.daemons import Setting, play, running
from tests.daemon.test_sandboxes import create
from tests.fakes import FakeClock


def test_helpers_are_bounded(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            live.helpers = MOST
            status, problem = await daemon.ask("GET", "/v1/sandboxes/dev/files")
            assert (status, problem["code"]) == (409, "conflict")
            live.helpers = 0

    play(conversation())


def test_what_a_helper_says_is_one_plain_line() -> None:
    assert said(b"") == ""
    assert said(b"one\ntwo \x1b[31m\xff\n") == "two [31m\ufffd"


def test_a_helper_ends_with_who_uses_it(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            with pytest.raises(ZeroDivisionError):
                async with helper(daemon.host, live, "stubborn"):
                    raise ZeroDivisionError
            (process,) = daemon.backend.sandboxes[0].processes
            assert process.signals == [9]
            assert live.helpers == 0
            async with helper(daemon.host, live, "flood", "3000000") as flood:
                out, _, status = await answer_of(flood, 1000)
            assert (len(out), status) == (1000, None)

    play(conversation())


def test_a_sandbox_in_which_a_helper_runs_is_not_idle(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            await create(daemon, sandbox="dev", idle_s=60)
            live = daemon.host.sandboxes.live[0]
            await clock.advance(50)
            async with helper(daemon.host, live, "sleep"):
                run = await daemon.run("true", sandbox="dev")
                await daemon.finished(run)
                await clock.advance(500)
                assert live.record.state == "ready"
            await clock.advance(61)
            await asyncio.wait_for(live.stopped.wait(), 30)

    play(conversation())
