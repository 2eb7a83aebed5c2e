"""Sandboxes end by the clock: extended, idle, never while a command runs; with fakes of time."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from cleanroom.backends.base import Command
from cleanroom.daemon.gateway_link import SKEW_S
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Setting, execution_path, play, run_request, running
from tests.daemon.test_sandboxes import create
from tests.decide.policies import policy, rule
from tests.fake_process import FakeProcess
from tests.fakes import FakeClock, FakeSandbox


def test_a_time_that_is_extended_counts_from_then_on(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            _, made = await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            await clock.advance(1700)
            clock.jumped = timedelta(days=1)
            status, sandbox = await daemon.ask("POST", "/v1/sandboxes/dev/extend", {"ttl_s": 3600})
            assert status == 200
            assert sandbox["expires_at"] > made["expires_at"]
            stored = await daemon.host.store.sandbox("dev")
            assert stored is not None
            assert stored.expires_at == sandbox["expires_at"]
            kinds = [getattr(line, "kind", "") for line in live.events.after(0)]
            assert kinds[-1] == "sandbox.extended"
            await clock.advance(3599)
            assert live.record.state == "ready"
            await clock.advance(2)
            await asyncio.wait_for(live.stopped.wait(), 30)
            assert live.ending is not None
            assert "extended by 3600 s" in live.ending.failure.reason

    play(conversation())


def test_it_can_be_shortened_and_what_has_ended_cannot_be_extended(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            await daemon.ask("POST", "/v1/sandboxes/dev/extend", {"ttl_s": 5})
            await clock.advance(6)
            await asyncio.wait_for(live.stopped.wait(), 30)
            for word, expected in (("dev", (409, "conflict")), ("x", (404, "sandbox_not_found"))):
                status, problem = await daemon.ask(
                    "POST", f"/v1/sandboxes/{word}/extend", {"ttl_s": 5}
                )
                assert (status, problem["code"]) == expected
            for ttl_s in (0, 3_000_000):
                path = "/v1/sandboxes/dev/extend"
                assert (await daemon.ask("POST", path, {"ttl_s": ttl_s}))[0] == 400

    play(conversation())


def test_none_is_extended_beyond_the_end_of_its_certificate_authority(short_path: Path) -> None:
    """It is made once, and valid for a day more than the policy's time."""

    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            path = "/v1/sandboxes/dev/extend"
            assert (await daemon.ask("POST", path, {"ttl_s": 2 * 86_400}))[0] == 200
            live.policy = policy(rule("a.test:443", inspect=True))
            most = live.policy.sandbox.ttl_s + SKEW_S
            assert (await daemon.ask("POST", path, {"ttl_s": most - 1}))[0] == 200
            before = live.record.expires_at
            status, problem = await daemon.ask("POST", path, {"ttl_s": most + 1})
            assert (status, problem["code"]) == (409, "conflict")
            assert "its certificate authority ends before" in problem["detail"]
            assert live.record.expires_at == before

    play(conversation())


def test_one_in_which_nothing_runs_ends_after_its_idle_time(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            _, made = await create(daemon, sandbox="dev", idle_s=60)
            assert made["idle_s"] == 60
            live = daemon.host.sandboxes.live[0]
            await clock.advance(59)
            run = await daemon.run("sleep", sandbox="dev")
            await clock.advance(300)
            assert live.record.state == "ready"  # a command runs
            await daemon.ask("POST", f"{execution_path(run)}/signal", {"signal": "KILL"})
            await daemon.finished(run)
            await clock.advance(59)
            assert live.record.state == "ready"
            await clock.advance(2)
            await asyncio.wait_for(live.stopped.wait(), 30)
            assert live.ending is not None
            assert "nothing ran in the sandbox for 60 s" in live.ending.failure.reason

    play(conversation())


def test_a_command_that_could_not_start_does_not_keep_it_awake(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: FakeSandbox, _command: Command) -> FakeProcess:
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, "cannot start it")

    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            await create(daemon, sandbox="dev", idle_s=60)
            live = daemon.host.sandboxes.live[0]
            await clock.advance(59)
            monkeypatch.setattr(FakeSandbox, "execute", fail)
            path = "/v1/sandboxes/dev/executions"
            assert (await daemon.ask("POST", path, {"command": ["true"]}))[0] == 500
            await clock.advance(59)
            assert live.record.state == "ready"
            await clock.advance(2)
            await asyncio.wait_for(live.stopped.wait(), 30)

    play(conversation())


def test_an_idle_time_belongs_to_a_sandbox_that_stays(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for options, status in (
                ({"idle_s": 60}, 400),
                ({"idle_s": 60, "sandbox": "dev"}, 201),
                ({"idle_s": 60, "sandbox": "dev"}, 201),
                ({"sandbox": "dev"}, 201),
                ({"idle_s": 61, "sandbox": "dev"}, 409),
            ):
                body = run_request("true", options={"detach": True, **options})
                assert (await daemon.ask("POST", "/v1/runs", body))[0] == status, options

    play(conversation())
