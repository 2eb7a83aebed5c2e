"""What a killed daemon left is ended and said to have ended (C6)."""

import os
from pathlib import Path

from cleanroom.daemon.recovery import clean_folders
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import Setting, make_host, play, running
from tests.daemon.test_store import denial, execution, run, sandbox
from tests.fake_workspaces import FakeWorkspaces


async def leave_behind(setting: Setting) -> None:
    """Make the state of a daemon that was killed while a command ran."""
    host = make_host(setting)
    await host.store.open()
    folder = setting.paths.sandboxes / sandbox(1).id
    folder.mkdir(parents=True)
    await host.store.put_sandbox(sandbox(1), folder=str(folder))
    await host.store.put_execution(execution(1))
    await host.store.put_run(run(1))
    await host.store.add_denial(run(1).id, denial(443, 7))
    await host.store.close()
    host.journal.close()


def test_its_sandboxes_are_reclaimed_and_its_runs_unknown(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        await leave_behind(setting)
        async with running(setting) as daemon:
            assert setting.backend.reclaimed == [sandbox(1).id]
            shown = (await daemon.ask("GET", f"/v1/sandboxes/{sandbox(1).id}"))[1]
            assert (shown["state"], shown["failure"]["code"]) == ("failed", "outcome_unknown")
            lost = (await daemon.ask("GET", "/v1/runs/last"))[1]
            assert (lost["state"], lost["failure"]["code"]) == ("failed", "outcome_unknown")
            assert lost["denied"][0]["count"] == 7
            path = f"/v1/sandboxes/{sandbox(1).id}/executions/{execution(1).id}"
            assert (await daemon.ask("GET", path))[1]["failure"]["code"] == "outcome_unknown"
            assert (setting.paths.runs / run(1).id / "run-observability.json").exists()
            lines = await daemon.lines(f"/v1/audit?sandbox_id={sandbox(1).id}")
            assert lines[0]["record"]["kind"] == "sandbox.reclaimed"
            assert (await daemon.ask("GET", "/v1/audit/verify"))[1]["ok"]

    play(conversation())


def test_an_interrupted_apply_is_mended_and_one_that_cannot_be_stops_nobody(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        setting.backend.changes_fault = Fault(Code.INTERNAL, "cannot read it")
        folder = setting.paths.sandboxes / sandbox(1).id
        folder.mkdir(parents=True)
        async with running(setting) as daemon:
            workspaces = daemon.host.workspaces
            assert isinstance(workspaces, FakeWorkspaces)
            assert workspaces.mended == [folder]
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    play(conversation())


def test_a_backend_that_is_gone_keeps_nobody_from_starting(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        host = make_host(setting)
        await host.store.open()
        await host.store.put_sandbox(sandbox(1, backend="gone"), folder="")
        await host.store.close()
        host.journal.close()
        async with running(setting) as daemon:
            shown = (await daemon.ask("GET", f"/v1/sandboxes/{sandbox(1).id}"))[1]
            assert shown["state"] == "failed"

    play(conversation())


def test_changes_are_kept_for_a_time_and_within_a_size(short_path: Path) -> None:
    async def conversation() -> None:
        limits = "limits:\n  keep_changes_for: 1h\n  kept_changes: 1MiB\n"
        setting = Setting(short_path, config_text=limits)
        now = setting.clock.now().timestamp()
        for name, age, size in (("a", 10, 600), ("b", 20, 600), ("c", 7200, 1)):
            folder = setting.paths.sandboxes / name
            folder.mkdir(parents=True)
            setting.backend.changed[name] = ("f",) * size
            os.utime(folder, (now - age, now - age))
        async with running(setting) as daemon:
            await clean_folders(daemon.host)
            assert [each.name for each in setting.paths.sandboxes.iterdir()] == ["a"]

    play(conversation())


def test_the_folder_of_a_living_sandbox_is_never_old(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path, config_text="limits:\n  keep_changes_for: 1m\n")
        async with running(setting) as daemon:
            run = await daemon.run("sleep")
            folder = setting.paths.sandboxes / run["sandbox_id"]
            os.utime(folder, (1, 1))
            await clean_folders(daemon.host)
            assert folder.is_dir()

    play(conversation())
