"""The login file of an agent: written before its command, or nothing runs."""

from pathlib import Path

import pytest

from cleanroom.daemon import run
from cleanroom.policy.model import Capability
from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running
from tests.fake_process import PROGRAMS, FakeProcess
from tests.fakes import FakeBackend

ACCOUNT = {"CODEX_LOGIN_ACCOUNT": "an-account"}


@pytest.fixture(autouse=True)
def without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody miss the value of a secret."""
    monkeypatch.setattr(run, "check_given", lambda *_: None)


async def start(daemon: Daemon, agent: str) -> tuple[int, Json]:
    """Start something as an agent."""
    body = run_request("true", options={"environment": ACCOUNT})
    text = {"path": "cleanroom.yaml", "text": POLICY, "agent": agent}
    return await daemon.ask("POST", "/v1/runs", {**body, "policy": text})


def setting(folder: Path, status: int) -> Setting:
    """A daemon in whose sandboxes a file can be written, or not."""

    async def write(process: FakeProcess) -> int:
        if status:
            await process.say(b"No space left on device\n", 2)
        return status

    programs = {**PROGRAMS, "umask": write}
    return Setting(folder, FakeBackend(proven=frozenset(Capability), programs=programs))


@pytest.mark.parametrize(("agent", "first"), [("codex/codex-login", "umask"), ("", "true")])
def test_it_is_written_before_the_command(short_path: Path, agent: str, first: str) -> None:
    async def conversation() -> None:
        async with running(setting(short_path, 0)) as daemon:
            status, begun = await start(daemon, agent)
            assert status == 201, begun
            await daemon.finished(begun)
            words = [each.command.argv[0] for each in daemon.backend.sandboxes[0].processes]
            assert words[0] == first
            assert words[-1] == "true"

    play(conversation())


def test_an_agent_without_one_gets_none(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path, 0)) as daemon:
            _, begun = await start(daemon, "claude/claude")
            await daemon.finished(begun)
            (process,) = daemon.backend.sandboxes[0].processes
            assert process.command.argv == ("true",)

    play(conversation())


def test_where_it_cannot_be_written_nothing_runs(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path, 1)) as daemon:
            status, problem = await start(daemon, "codex/codex-login")
            assert status == 500
            assert problem["code"] == "runtime_launch_failed"
            assert "auth.json: No space left on device" in problem["detail"]
            assert len(daemon.backend.sandboxes[0].processes) == 1
            assert daemon.host.sandboxes.live == []

    play(conversation())
