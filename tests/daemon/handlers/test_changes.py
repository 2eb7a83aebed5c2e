"""What a run changed, over the API."""

import shutil
from pathlib import Path

from tests.daemon.daemons import Setting, play, running


def test_changes_patch_and_apply_after_the_end(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("touch", "a.txt", "b.txt")
            await daemon.finished(run)
            for word in (run["id"], "last", f"sandbox:{run['sandbox_id']}"):
                status, found = await daemon.ask("GET", f"/v1/runs/{word}/changes")
                assert status == 200
                assert [each["path"] for each in found["changes"]] == ["a.txt", "b.txt"]
                assert (found["run_id"], found["sandbox_id"]) == (run["id"], run["sandbox_id"])
            assert "+++ b/a.txt" in (await daemon.ask("GET", "/v1/runs/last/patch"))[1]
            wanted = {"paths": ["a.txt"]}
            report = (await daemon.ask("POST", "/v1/runs/last/apply", wanted))[1]
            assert report["applied"] == ["a.txt"]

    play(conversation())


def test_a_run_that_changed_nothing_keeps_no_folder_and_has_an_empty_answer(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            await daemon.finished(await daemon.run("true"))
            assert list(setting.paths.sandboxes.iterdir()) == []
            assert (await daemon.ask("GET", "/v1/runs/last/changes"))[1]["changes"] == []
            assert (await daemon.ask("GET", "/v1/runs/last/patch"))[1] == ""
            assert (await daemon.ask("POST", "/v1/runs/last/apply", {}))[1]["applied"] == []
            status, problem = await daemon.ask("POST", "/v1/runs/last/apply", {"branch": "agent"})
            assert (status, problem["code"]) == (400, "request_invalid")
            assert "no commit was made inside" in problem["detail"]

    play(conversation())


def test_a_command_that_ended_with_its_sandbox_and_changed_nothing_has_an_empty_answer(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", "3600", sandbox="dev", detach=True)
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            assert (await daemon.finished(run))["changed_files"] == 0
            status, found = await daemon.ask("GET", f"/v1/runs/{run['id']}/changes")
            assert (status, found["changes"]) == (200, [])

    play(conversation())


def test_changes_that_are_no_longer_kept_are_an_error_and_not_an_empty_answer(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("touch", "a.txt")
            await daemon.finished(run)
            shutil.rmtree(setting.paths.sandboxes / run["sandbox_id"])
            status, problem = await daemon.ask("GET", f"/v1/runs/{run['id']}/changes")
            assert (status, problem["code"]) == (404, "execution_not_found")
            assert "no longer kept" in problem["detail"]

    play(conversation())


def test_a_living_sandbox_shows_its_changes_by_name(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            done = await daemon.finished(await daemon.run("touch", "a.txt", sandbox="dev"))
            assert done["changed_files"] == 1
            found = (await daemon.ask("GET", "/v1/runs/sandbox:dev/changes"))[1]
            assert [each["path"] for each in found["changes"]] == ["a.txt"]
            assert (await daemon.ask("GET", "/v1/runs/sandbox:none/changes"))[0] == 404

    play(conversation())
