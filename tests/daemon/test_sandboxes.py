"""Lifecycles: made, found, ended once, by time, by order, by themselves (C5, C9)."""

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from cleanroom.daemon.store import Store
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Daemon, Json, Setting, execution_path, play, run_request, running
from tests.daemon.test_store import sandbox as record
from tests.fakes import FakeClock


async def create(daemon: Daemon, **options: object) -> tuple[int, Json]:
    """Ask for a sandbox that stays."""
    body = run_request("x", options=options)
    del body["command"]
    return await daemon.ask("POST", "/v1/sandboxes", body)


def test_a_sandbox_lives_until_its_time_is_over_with_one_warning(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            status, sandbox = await create(daemon)
            assert (status, sandbox["state"], sandbox["ephemeral"]) == (201, "ready", False)
            run = await daemon.ask(
                "POST",
                f"/v1/sandboxes/{sandbox['id']}/executions",
                {"command": ["sleep"], "options": {"detach": True}},
            )
            await clock.advance(1800 - 121)
            live = daemon.host.sandboxes.live[0]
            kinds = [getattr(line, "kind", "") for line in live.events.after(0)]
            assert "sandbox.ttl_warning" not in kinds
            await clock.advance(2)
            kinds = [getattr(line, "kind", "") for line in live.events.after(0)]
            assert kinds.count("sandbox.ttl_warning") == 1
            await clock.advance(120)
            await asyncio.wait_for(live.stopped.wait(), 5)
            execution = (
                await daemon.ask(
                    "GET", f"/v1/sandboxes/{sandbox['id']}/executions/{run[1]['id']}?wait_s=5"
                )
            )[1]
            assert execution["state"] == "timed_out"
            assert "ttl_minutes: 30" in execution["failure"]["reason"]

    play(conversation())


@pytest.mark.parametrize("days", [-1, 1])
def test_a_sandboxs_time_is_the_same_when_the_date_is_set(short_path: Path, days: int) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            await create(daemon)
            live = daemon.host.sandboxes.live[0]
            await clock.advance(600)
            clock.jumped = timedelta(days=days)
            await clock.advance(1199)
            assert live.record.state == "ready"
            await clock.advance(2)
            await asyncio.wait_for(live.stopped.wait(), 30)
            assert live.record.state == "stopped"

    play(conversation())


def test_stopping_twice_is_stopping_once(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            _, sandbox = await create(daemon, sandbox="dev")
            path = "/v1/sandboxes/dev/stop"
            answers = await asyncio.gather(*(daemon.ask("POST", path) for _ in range(5)))
            assert {(status, each["state"]) for status, each in answers} == {(200, "stopped")}
            assert daemon.backend.sandboxes[0].stops == 1
            assert (await daemon.ask("POST", path))[1]["id"] == sandbox["id"]

    play(conversation())


def test_a_name_can_be_used_again_after_its_sandbox_ended(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            _, first = await create(daemon, sandbox="dev")
            assert (await create(daemon, sandbox="dev"))[0] == 409
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            status, second = await create(daemon, sandbox="dev")
            assert status == 201
            assert first["id"] != second["id"]
            assert (await daemon.ask("GET", "/v1/sandboxes/dev"))[1]["id"] == second["id"]

    play(conversation())


def test_a_stop_while_it_starts_leaves_nothing(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        setting.backend.start_gate = asyncio.Event()
        async with running(setting) as daemon:
            creating = asyncio.get_running_loop().create_task(create(daemon, sandbox="dev"))
            await setting.backend.starting.wait()
            stopping = asyncio.get_running_loop().create_task(
                daemon.ask("POST", "/v1/sandboxes/dev/stop")
            )
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200  # the stop has arrived too
            setting.backend.start_gate.set()
            status, problem = await creating
            assert (status, problem["code"]) == (500, "canceled")
            assert (await stopping)[1]["state"] == "failed"
            assert all(each.stops for each in setting.backend.sandboxes)

    play(conversation())


def test_a_command_during_the_stop_is_refused_or_canceled(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            stop = daemon.ask("POST", "/v1/sandboxes/dev/stop")
            more = daemon.ask("POST", "/v1/sandboxes/dev/executions", {"command": ["true"]})
            (stopped, _), (status, _) = await asyncio.gather(stop, more)
            assert stopped == 200
            assert status in {201, 404, 409, 500}
            done = await daemon.ask("GET", f"{execution_path(run)}?wait_s=5")
            assert done[1]["state"] == "canceled"
            after = await daemon.ask("POST", "/v1/sandboxes/dev/executions", {"command": ["true"]})
            assert (after[0], after[1]["code"]) == (409, "conflict")

    play(conversation())


def test_a_violation_for_which_the_policy_ends_it_ends_it(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            live.violate("the placeholder of the secret 'gh' was sent to evil.test")
            live.violate("a second one")
            await asyncio.wait_for(live.stopped.wait(), 60)
            assert live.record.state == "failed"
            failure = live.record.failure
            assert failure is not None
            assert failure.code == "secret_scope_violation"
            assert "to evil.test (on_violation: terminate)" in failure.reason
            done = await daemon.ask("GET", f"{execution_path(run)}?wait_s=5")
            assert done[1]["failure"]["code"] == "secret_scope_violation"

    play(conversation())


def test_a_sandbox_that_ends_by_itself_has_failed_with_the_backends_reason(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            _, sandbox = await create(daemon)
            machine = daemon.backend.sandboxes[0]
            machine.failure = Fault(Code.RESOURCE_LIMIT, "cannot go on: the disk limit is reached")
            live = daemon.host.sandboxes.live[0]
            await machine.die()
            await asyncio.wait_for(live.stopped.wait(), 5)
            shown = (await daemon.ask("GET", f"/v1/sandboxes/{sandbox['id']}"))[1]
            assert (shown["state"], shown["failure"]["code"]) == ("failed", "resource_limit")

    play(conversation())


def test_a_lost_gateway_is_said_and_the_next_sandbox_gets_a_new_one(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            gateway = daemon.backend.gateway
            gateway.die()
            live = daemon.host.sandboxes.find("dev")
            assert live is not None
            assert "gateway_lost" in live.runs[run["id"]].record.notes[-1]
            assert (await daemon.ask("GET", "/v1/health"))[1]["status"] == "degraded"
            await daemon.finished(await daemon.run("true"))
            assert gateway.starts == 2
            assert (await daemon.ask("GET", "/v1/health"))[1]["status"] == "ok"

    play(conversation())


def test_labels_of_the_policy_are_shown_and_audited(short_path: Path) -> None:
    async def conversation() -> None:
        policy = "version: 1\nproject: {name: p}\nmetadata: {team: t}\n"
        async with running(Setting(short_path)) as daemon:
            body = run_request("true", policy=policy, options={"detach": True})
            run = (await daemon.ask("POST", "/v1/runs", body))[1]
            assert (run["project"], run["metadata"]) == ({"name": "p"}, {"team": "t"})
            await daemon.finished(run)
            lines = await daemon.lines(f"/v1/audit?sandbox_id={run['sandbox_id']}")
            created = next(
                each["record"]
                for each in lines
                if each.get("record", {}).get("kind") == "sandbox.created"
            )
            assert created["detail"]["project.name"] == "p"
            assert created["detail"]["metadata.team"] == "t"

    play(conversation())


def test_stopping_the_daemon_ends_everything_and_says_so(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("sleep")
        assert setting.backend.sandboxes[0].stops == 1
        async with running(setting) as daemon:
            again = (await daemon.ask("GET", f"/v1/runs/{run['id']}"))[1]
            assert (again["state"], again["failure"]["reason"]) == ("canceled", "the daemon stops")

    play(conversation())


def test_a_full_disk_starts_nothing_and_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            await daemon.finished(await daemon.run("true"))
            await fill(daemon)
            started = len(setting.backend.sandboxes)
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (500, "internal")
            assert "disk is full" in problem["detail"]
            assert len(setting.backend.sandboxes) == started
            assert daemon.host.sandboxes.live == []
            assert (await daemon.ask("GET", "/v1/runs/last"))[0] == 200

    async def fill(daemon: Daemon) -> None:
        """Let the state file grow no further, as on a full disk (SQLite's own words for it)."""
        store = daemon.host.store
        await store._call(lambda: store._file.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(Fault):
            await put_for_ever(store)

    async def put_for_ever(store: Store) -> None:
        for number in itertools.count():
            await store.put_sandbox(record(number, state="stopped"))

    play(conversation())
