"""Forgetting sandboxes: only ended ones, all of them, once; the audit stays."""

from pathlib import Path

import pytest

from cleanroom.daemon.removal import forget_sandbox
from cleanroom.errors import Code, UserError
from tests.daemon.daemons import Daemon, Json, Setting, execution_path, play, running
from tests.daemon.test_sandboxes import create
from tests.fake_workspaces import FakeWorkspaces
from tests.fakes import FakeClock


async def ended(daemon: Daemon, name: str) -> Json:
    """Run something in a sandbox that has ended since; return the run."""
    run = await daemon.run("echo", "hello", sandbox=name)
    await daemon.finished(run)
    await daemon.ask("POST", f"/v1/sandboxes/{name}/stop")
    return run


def test_one_that_lives_is_removed_by_force_only(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            status, problem = await daemon.ask("DELETE", "/v1/sandboxes/dev")
            assert (status, problem["code"]) == (409, "conflict")
            assert "--force" in problem["hint"]
            status, removed = await daemon.ask("DELETE", "/v1/sandboxes/dev?force=true")
            assert (status, removed["state"], removed["id"]) == (200, "stopped", run["sandbox_id"])
            _, record = await daemon.ask("GET", f"/v1/runs/{run['id']}")  # its run is still known
            assert (record["state"], record["failure"]["code"]) == ("canceled", "canceled")
            for method in ("GET", "DELETE"):
                status, problem = await daemon.ask(method, "/v1/sandboxes/dev")
                assert (status, problem["code"]) == (404, "sandbox_not_found")
            status, problem = await daemon.ask("GET", execution_path(run))
            assert (status, problem["code"]) == (404, "sandbox_not_found")

    play(conversation())


def test_all_of_it_is_gone_but_for_its_runs_and_the_audit(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await ended(daemon, "dev")
            output = daemon.host.outputs.folder(run["execution_id"])
            assert output.is_dir()
            assert (await daemon.ask("DELETE", "/v1/sandboxes/dev"))[0] == 200
            assert not output.exists()
            assert daemon.host.recent.get(run["execution_id"]) is None
            workspaces = daemon.host.workspaces
            assert isinstance(workspaces, FakeWorkspaces)
            assert setting.paths.sandboxes / run["sandbox_id"] in workspaces.forgotten
            assert (await daemon.ask("GET", f"/v1/runs/{run['id']}"))[0] == 200
            lines = await daemon.lines(f"/v1/audit?sandbox_id={run['sandbox_id']}")
            kinds = [line["record"].get("kind") for line in lines if "record" in line]
            assert kinds[-1] == "sandbox.removed"

    play(conversation())


def test_pruning_removes_what_ended_long_ago(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            old = await ended(daemon, "old")
            await clock.advance(3600)
            await create(daemon, sandbox="living")
            new = await ended(daemon, "new")
            path = "/v1/sandboxes/prune"
            for body, removed in (
                ({"older_than_s": 7200}, []),
                ({"older_than_s": 600}, [old["sandbox_id"]]),
                ({}, [new["sandbox_id"]]),
                ({}, []),
            ):
                assert await daemon.ask("POST", path, body) == (200, {"removed": removed})
            everyone = (await daemon.ask("GET", "/v1/sandboxes?all=true"))[1]["sandboxes"]
            assert [each["name"] for each in everyone] == ["living"]

    play(conversation())


def test_what_was_made_meanwhile_is_never_removed(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            with pytest.raises(UserError, match="it is ready") as refused:
                await forget_sandbox(daemon.host, daemon.host.sandboxes.live[0].record)
            assert refused.value.code is Code.CONFLICT

    play(conversation())


def test_what_cannot_be_removed_from_disk_is_still_found(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: FakeWorkspaces, _folder: Path) -> None:
        raise OSError(5, "Input/output error")

    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await ended(daemon, "dev")
            with monkeypatch.context() as broken:
                broken.setattr(FakeWorkspaces, "forget", fail)
                status, problem = await daemon.ask("DELETE", "/v1/sandboxes/dev")
            assert (status, problem["code"]) == (500, "internal")
            assert (await daemon.ask("GET", "/v1/sandboxes/dev"))[0] == 200
            assert (await daemon.ask("DELETE", "/v1/sandboxes/dev"))[0] == 200

    play(conversation())
