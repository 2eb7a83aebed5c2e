"""Files of an agent: written before its command, into its volume, or nothing runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.daemon import run
from cleanroom.policy.agent_recipes import RECIPES
from cleanroom.policy.demands import Capability
from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running
from tests.fake_process import PROGRAMS, FakeProcess
from tests.fakes import FakeBackend

READ, WRITE, WRITE_ONCE = "if", "umask", "test"  # the first words of the scripts


@pytest.fixture(autouse=True)
def without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody miss the value of a secret."""
    monkeypatch.setattr(run, "check_given", lambda *_: None)


class Inside:
    """What the scripts find and leave."""

    def __init__(self, found: bytes = b"", says: bytes = b"") -> None:
        self.found = found
        self.says = says  # a failure
        self.written: list[bytes] = []

    def setting(self, folder: Path) -> Setting:
        """A daemon in whose sandboxes they run."""
        programs = {**PROGRAMS, READ: self.read, WRITE: self.write, WRITE_ONCE: self.write}
        return Setting(folder, FakeBackend(proven=frozenset(Capability), programs=programs))

    async def read(self, process: FakeProcess) -> int:
        """Say what is there."""
        await process.say(self.found)
        return 0

    async def write(self, process: FakeProcess) -> int:
        """Take what is given."""
        if self.says:
            await process.say(self.says, 2)
            return 1
        text = b""
        while piece := await process.read():
            text += piece
        self.written.append(text)
        return 0


async def start(daemon: Daemon, agent: str, *, has_volume: bool = True) -> tuple[int, Json]:
    """Start something as an agent."""
    recipe = RECIPES.get(agent.partition("/")[0])
    volumes = [{"name": "agent", "at": recipe.home}] if recipe and has_volume else []
    options: dict[str, object] = {
        "environment": {"CODEX_LOGIN_ACCOUNT": "an-account"},
        "volumes": volumes,
    }
    text = {"path": "cleanroom.yaml", "text": POLICY, "agent": agent}
    body = {**run_request("true", options=options), "policy": text}
    return await daemon.ask("POST", "/v1/runs", body)


def scripts(daemon: Daemon) -> Iterator[str]:
    """Yield the first word of all that ran in the sandbox."""
    return (each.command.argv[0] for each in daemon.backend.sandboxes[0].processes)


def test_a_login_is_written_anew_and_settings_once(short_path: Path) -> None:
    inside = Inside()

    async def conversation() -> None:
        async with running(inside.setting(short_path)) as daemon:
            status, begun = await start(daemon, "codex/codex-login")
            assert status == 201, begun
            await daemon.finished(begun)
            assert [*scripts(daemon)] == [WRITE, WRITE_ONCE, "true"]

    play(conversation())
    assert json.loads(inside.written[0])["tokens"]["account_id"] == "an-account"
    assert b"analytics" in inside.written[1]


def test_settings_are_added_to_those_that_are_there(short_path: Path) -> None:
    own = {"own": "x" * 100_000}
    inside = Inside(json.dumps(own).encode())

    async def conversation() -> None:
        async with running(inside.setting(short_path)) as daemon:
            _, begun = await start(daemon, "claude/claude-login")
            await daemon.finished(begun)
            assert [*scripts(daemon)] == [READ, WRITE, "true"]

    play(conversation())
    found = json.loads(inside.written[0])
    assert found["own"] == own["own"]
    assert found["hasCompletedOnboarding"] is True


def test_what_is_too_large_is_left(short_path: Path) -> None:
    inside = Inside(b"x" * 2_000_000)

    async def conversation() -> None:
        async with running(inside.setting(short_path)) as daemon:
            _, begun = await start(daemon, "claude/claude")
            await daemon.finished(begun)
            assert [*scripts(daemon)] == [READ, "true"]

    play(conversation())


@pytest.mark.parametrize("agent", ["", "codex/codex", "opencode/opencode"])
def test_outside_of_a_volume_nothing_is_written(short_path: Path, agent: str) -> None:
    async def conversation() -> None:
        async with running(Inside().setting(short_path)) as daemon:
            has_volume = agent == "opencode/opencode"  # it has no files
            _, begun = await start(daemon, agent, has_volume=has_volume)
            await daemon.finished(begun)
            assert [*scripts(daemon)] == ["true"]

    play(conversation())


def test_where_it_cannot_be_written_nothing_runs(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Inside(says=b"No space left on device\n").setting(short_path)) as daemon:
            status, problem = await start(daemon, "codex/codex")
            assert status == 500
            assert problem["code"] == "runtime_launch_failed"
            assert "auth.json: No space left on device" in problem["detail"]
            assert [*scripts(daemon)] == [WRITE]
            assert daemon.host.sandboxes.live == []

    play(conversation())
