"""Runs over the API: listed, shown."""

from pathlib import Path
from urllib.parse import quote

from tests.daemon.daemons import Setting, play, running


def test_runs_are_listed_newest_first_in_pages(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            made = [await daemon.run("true") for _ in range(3)]
            for run in made:
                await daemon.finished(run)
            first = (await daemon.ask("GET", "/v1/runs?limit=2"))[1]
            assert [each["id"] for each in first["runs"]] == [made[2]["id"], made[1]["id"]]
            rest = (await daemon.ask("GET", f"/v1/runs?limit=2&before={first['next']}"))[1]
            assert [each["id"] for each in rest["runs"]] == [made[0]["id"]]
            assert rest["next"] is None

    play(conversation())


def test_a_running_run_shows_its_refusals_so_far(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep")
            daemon.backend.gateway.record(run["sandbox_id"], daemon.refusal("evil.test", 443))
            (shown,) = (await daemon.ask("GET", "/v1/runs"))[1]["runs"]
            assert shown["denied"][0]["name"] == "evil.test"
            here = quote(run["workspace"], safe="")
            for workspace, count in ((here, 1), ("%2Fanother", 0)):
                found = await daemon.ask("GET", f"/v1/runs?workspace={workspace}&limit=1")
                assert len(found[1]["runs"]) == count

    play(conversation())


def test_no_run_yet_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            status, problem = await daemon.ask("GET", "/v1/runs/last")
            assert (status, problem["code"]) == (404, "execution_not_found")
            assert "there is none" in problem["detail"]
            assert (await daemon.ask("GET", "/v1/runs/run_" + "0" * 20))[0] == 404

    play(conversation())
