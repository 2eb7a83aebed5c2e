"""Events of ended sandboxes come from the audit log."""

from pathlib import Path

from cleanroom.api.streams import EventLine, NetworkLine
from cleanroom.daemon.history import line_of
from tests.daemon.daemons import Setting, play, running


def test_an_ended_sandbox_still_has_its_events(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("deny", "evil.test", "443")
            await daemon.finished(run)
            lines = await daemon.lines(f"/v1/sandboxes/{run['sandbox_id']}/events")
            kinds = [line.get("kind", line.get("name", line["type"])) for line in lines]
            assert kinds == [
                "sandbox.created",
                "sandbox.ready",
                "execution.started",
                "evil.test",
                "execution.finished",
                "sandbox.stopped",
                "exit",
            ]
            assert [line["sequence"] for line in lines[:-1]] == [1, 2, 3, 4, 5, 6]
            later = await daemon.lines(f"/v1/sandboxes/{run['sandbox_id']}/events?after=5")
            assert len(later) == 2

    play(conversation())


def test_members_that_an_event_line_does_not_have_are_left_out() -> None:
    network = b'{"type":"network","time":"t","seq":4,"prev":"0","name":"a","hash":"0"}'
    line = line_of(network, 7)
    assert isinstance(line, NetworkLine)
    assert (line.sequence, line.name, line.port) == (7, "a", 0)
    recovered = line_of(b'{"type":"recovered","time":"t","torn_bytes":3}', 1)
    assert isinstance(recovered, EventLine)
    assert recovered.kind == "recovered"
