"""The parts are joined: an event of the gateway reaches audit, watchers and runs."""

from pathlib import Path

from tests.daemon.daemons import Setting, play, running


def test_an_event_of_the_gateway_reaches_everyone(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep")
            daemon.backend.gateway.record(run["sandbox_id"], daemon.refusal("evil.test", 443))
            shown = (await daemon.ask("GET", f"/v1/runs/{run['id']}"))[1]
            assert shown["denied"][0]["name"] == "evil.test"
            lines = await daemon.lines(f"/v1/audit?run_id={run['id']}&denied=true")
            assert lines[0]["record"]["name"] == "evil.test"

    play(conversation())
