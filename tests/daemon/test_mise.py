"""Tools by mise through the real application, with a fake backend: nothing runs but fakes."""

import asyncio
import shutil
from pathlib import Path

import pytest

from cleanroom.daemon import mise as module
from cleanroom.sandbox.mise import PROGRAM
from tests.daemon.daemons import Daemon, Json, Setting, play, run_request, running
from tests.fake_process import FakeProcess, denied

TOOLS = '[tools]\nnode = "22"\n'
ENABLED = "version: 1\nsandbox: {mise: {enabled: true}}\n"
QUIET = "version: 1\nsandbox: {mise: {auto_bootstrap: false}}\n"
OFF = "version: 1\nsandbox: {mise: {enabled: false}}\n"
UNSET = "version: 1\n"


class Repository:
    """A workspace with mise files, a host with a mise, a daemon that notes what is run."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        (self.work / ".mise.toml").write_text(TOOLS)
        program = folder / "mise"
        program.write_bytes(b"\x7fELF of a test")
        program.chmod(0o755)
        self.setting = Setting(
            folder, config_text=f"approvals: notice\nmise: {{program: {program}}}\n"
        )
        self.answer = b'{"FROM": "mise", "PATH": "/tools:/usr/bin"}'
        self.status = 0
        self.installed: list[FakeProcess] = []
        self.asked: list[FakeProcess] = []
        self.shown: list[dict[str, str]] = []  # environments of the command
        programs = self.setting.backend.programs
        programs["/usr/bin/env"] = self._install
        programs[PROGRAM] = self._ask
        programs["show"] = self._show

    async def _install(self, process: FakeProcess) -> int:
        self.installed.append(process)
        await process.say(b"mise by somebody\nmise ERROR no such tool\n", 2)
        return self.status

    async def _ask(self, process: FakeProcess) -> int:
        self.asked.append(process)
        await process.say(b"mise ERROR no such variable\nmise ERROR Version: 1\n", 2)
        await process.say(self.answer)
        return 0 if self.answer else 1

    async def _show(self, process: FakeProcess) -> int:
        self.shown.append(dict(process.command.environment))
        return 0

    def request(self, policy: str, *command: str, **options: object) -> Json:
        """Return a RunRequest of this workspace."""
        body = run_request(*command, policy=policy, options={"detach": True, **options})
        return {**body, "workspace": str(self.work)}

    async def run(self, daemon: Daemon, policy: str, *command: str, **options: object) -> Json:
        """Run a command to its end; return its record."""
        status, run = await daemon.ask(
            "POST", "/v1/runs", self.request(policy, *command, **options)
        )
        assert status == 201, run
        return await daemon.finished(run)

    async def refused(self, daemon: Daemon, policy: str, *command: str) -> Json:
        """Return the problem that a run ends with before it starts."""
        status, problem = await daemon.ask("POST", "/v1/runs", self.request(policy, *command))
        assert status >= 400
        return problem


@pytest.fixture
def repository(short_path: Path) -> Repository:
    return Repository(short_path)


def test_tools_are_installed_once_and_the_environment_is_applied(repository: Repository) -> None:
    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            first = await repository.run(daemon, UNSET, "show")
            await repository.run(daemon, ENABLED, "show")
            await repository.run(daemon, ENABLED, "show", environment={"FROM": "flag"})
        assert [each["FROM"] for each in repository.shown] == ["mise", "mise", "flag"]
        assert {each["PATH"] for each in repository.shown} == {"/tools:/usr/bin"}
        assert first["timings"]["mise_bootstrap_ms"] >= 0
        assert first["timings"]["mise_environment_ms"] >= 0
        # Two policies: two volumes; the third run found the second's.
        assert len(repository.installed) == 2
        assert len(repository.asked) == 3
        assert "CI" not in dict(repository.asked[0].command.environment)

    play(conversation())


def test_another_folder_at_the_same_path_has_tools_of_its_own(repository: Repository) -> None:
    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            await repository.run(daemon, UNSET, "show")
            shutil.rmtree(repository.work)  # the next one may get its inode, never its birth
            repository.work.mkdir()
            (repository.work / ".mise.toml").write_text(TOOLS)
            await repository.run(daemon, UNSET, "show")
        assert len(repository.installed) == 2

    play(conversation())


def test_two_runs_at_once_install_once(repository: Repository) -> None:
    async def conversation() -> None:
        async with running(repository.setting) as daemon, asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(repository.run(daemon, UNSET, "show"))
        assert len(repository.installed) == 1

    play(conversation())


def test_more_commands_in_the_sandbox_get_the_environment_too(repository: Repository) -> None:
    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            body = {key: repository.request(UNSET)[key] for key in ("workspace", "policy")}
            status, sandbox = await daemon.ask("POST", "/v1/sandboxes", body)
            assert status == 201, sandbox
            path = f"/v1/sandboxes/{sandbox['id']}/executions"
            request = {"command": ["show"], "options": {"detach": True}}
            status, run = await daemon.ask("POST", path, request)
            assert status == 201, run
            for _ in range(2000):
                if len(repository.asked) == 1:
                    break
                await asyncio.sleep(0.01)
        assert (len(repository.installed), len(repository.asked)) == (1, 1)

    play(conversation())


def test_without_auto_bootstrap_nothing_is_installed_or_asked(repository: Repository) -> None:
    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            done = await repository.run(daemon, QUIET, "show")
        assert "FROM" not in repository.shown[0]
        assert (repository.installed, repository.asked) == ([], [])
        assert done["timings"]["mise_environment_ms"] is not None

    play(conversation())


def test_disabled_the_files_are_not_even_read(repository: Repository) -> None:
    (repository.work / ".mise.toml").write_text("[")

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            done = await repository.run(daemon, OFF, "show")
            assert done["timings"]["mise_bootstrap_ms"] is None
            problem = await repository.refused(daemon, UNSET, "show")
            assert "cannot read .mise.toml" in problem["detail"]

    play(conversation())


def test_without_files_only_a_policy_that_counts_on_them_hears_of_it(
    repository: Repository,
) -> None:
    (repository.work / ".mise.toml").unlink()

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            assert "mise" not in str((await repository.run(daemon, UNSET, "show"))["notes"])
            told = await repository.run(daemon, ENABLED, "show")
            assert "there is none of: .mise.toml" in told["notes"][-1]

    play(conversation())


def test_a_host_without_mise_says_so_or_refuses(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.daemon.mise_files._USUAL", "/nowhere")
    repository.setting.config_text = "approvals: notice\n"

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            told = await repository.run(daemon, UNSET, "show")
            assert "mise files are not applied" in told["notes"][-1]
            problem = await repository.refused(daemon, ENABLED, "show")
            assert problem["code"] == "backend_capability_mismatch"

    play(conversation())


def test_a_failed_installation_starts_nothing_and_says_why(repository: Repository) -> None:
    repository.status = 1

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            problem = await repository.refused(daemon, UNSET, "show")
            assert problem["code"] == "runtime_launch_failed"
            assert "(node 22): no such tool" in problem["detail"]
            again = await repository.refused(daemon, UNSET, "show")
            assert again["code"] == "runtime_launch_failed"
        assert len(repository.installed) == 2  # nothing half made was kept
        stages = repository.setting.paths.cache / "mise" / "stages"
        assert list(stages.iterdir()) == []

    play(conversation())


def test_an_installation_that_is_refused_a_host_names_it(repository: Repository) -> None:
    async def refused(process: FakeProcess) -> int:
        process.sandbox.event(denied("tools.example", 443))
        return 1

    repository.setting.backend.programs["/usr/bin/env"] = refused

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            problem = await repository.refused(daemon, UNSET, "show")
        assert problem["code"] == "host_not_allowed"
        assert "the policy refuses tools.example" in problem["detail"]
        assert "cleanroom policy suggest --run-id run_" in problem["hint"]

    play(conversation())


def test_an_environment_that_cannot_be_had_starts_nothing(repository: Repository) -> None:
    repository.answer = b""

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            problem = await repository.refused(daemon, UNSET, "show")
            assert problem["detail"].endswith("mise files: no such variable")
            repository.answer = b"[]"
            problem = await repository.refused(daemon, UNSET, "show")
            assert problem["detail"].endswith("mise files: it is none")

    play(conversation())


def test_an_environment_that_takes_for_ever_starts_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENVIRONMENT_S", 0.05)

    async def hang(process: FakeProcess) -> int:
        repository.asked.append(process)
        return len(await process.read()) + await asyncio.sleep(600, 1)

    repository.setting.backend.programs[PROGRAM] = hang

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            problem = await repository.refused(daemon, UNSET, "show")
            assert "it took longer than" in problem["detail"]
            assert repository.asked[0].signals == [9]

    play(conversation())


def test_files_without_tools_need_no_volume(repository: Repository) -> None:
    (repository.work / ".mise.toml").write_text('[env]\nA = "b"\n')

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            await repository.run(daemon, UNSET, "show")
        assert (len(repository.installed), len(repository.asked)) == (0, 1)

    play(conversation())


def test_the_form_without_the_separator_is_corrected_after_it_failed(
    repository: Repository,
) -> None:
    async def usage(_process: FakeProcess) -> int:
        return 2

    repository.setting.backend.programs["mise"] = usage

    async def conversation() -> None:
        async with running(repository.setting) as daemon:
            told = await repository.run(daemon, OFF, "mise exec npm test")
            assert told["exit_code"] == 2
            assert '"mise exec -- npm test"' in told["notes"][-1]
            other = await repository.run(daemon, OFF, "mise", "--bad")
            assert (other["exit_code"], other["notes"]) == (2, [])

    play(conversation())
