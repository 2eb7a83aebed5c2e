"""The audit log over the API."""

from pathlib import Path

from tests.daemon.daemons import Setting, play, running


def test_lines_are_filtered_and_counted(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await daemon.finished(await daemon.run("allow", "registry.example", "443"))
            run = await daemon.run("deny", "evil.test", "443")
            await daemon.finished(run)
            every = await daemon.lines("/v1/audit")
            assert every[-1] == {
                "type": "exit",
                "run": None,
                "execution": None,
                "sandbox": None,
                "lines": len(every) - 1,
            }
            for query in ("run_id=last", f"run_id={run['id']}", f"sandbox_id={run['sandbox_id']}"):
                denied = await daemon.lines(f"/v1/audit?denied=true&{query}")
                assert [line["record"]["name"] for line in denied[:-1]] == ["evil.test"]
            assert len(await daemon.lines("/v1/audit?since=2999-01-01")) == 1
            assert len(await daemon.lines("/v1/audit?since=9999999999s")) == len(every)

    play(conversation())


def test_wrong_filters_are_refused(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for query, status in (
                ("since=yesterday", 400),
                ("run_id=x", 404),
                ("run_id=last", 404),
                ("sandbox_id=none", 404),
            ):
                assert (await daemon.ask("GET", f"/v1/audit?{query}"))[0] == status

    play(conversation())


def test_the_chain_is_verified(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            await daemon.finished(await daemon.run("true"))
            good = (await daemon.ask("GET", "/v1/audit/verify"))[1]
            assert good["ok"]
            assert good["lines"] > 3
            (file,) = setting.paths.audit.glob("*.jsonl")
            file.write_bytes(file.read_bytes().replace(b'"who":"uid', b'"who":"gid', 1))
            bad = (await daemon.ask("GET", "/v1/audit/verify"))[1]
            assert (bad["ok"], bad["reason"] != "") == (False, True)

    play(conversation())
