"""The main path through the real application, with a fake backend."""

import json
from pathlib import Path

from cleanroom.errors import Code, Fault
from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running


def test_a_command_runs_and_its_exit_code_comes_back(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("exit", "3")
            assert run["state"] == "running"
            done = await daemon.finished(run)
            assert (done["state"], done["exit_code"]) == ("failed", 3)

    play(conversation())


def test_an_ephemeral_sandbox_ends_with_its_run(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("touch", "a", "b")
            done = await daemon.finished(run)
            assert done["changed_files"] == 2
            assert setting.backend.sandboxes[0].stops == 1
            assert setting.backend.gateway.doors == set()
            status, sandbox = await daemon.ask("GET", f"/v1/sandboxes/{run['sandbox_id']}")
            assert (status, sandbox["state"]) == (200, "stopped")
            assert (await daemon.ask("GET", "/v1/sandboxes"))[1]["sandboxes"] == []
            assert len((await daemon.ask("GET", "/v1/sandboxes?all=true"))[1]["sandboxes"]) == 1

    play(conversation())


def test_a_finished_run_is_complete_in_the_api_and_beside_the_state(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("deny", "evil.test", "443", "3")
            done = await daemon.finished(run)
            assert [(each["name"], each["count"]) for each in done["denied"]] == [("evil.test", 3)]
            assert done["timings"]["total_ms"] > 0
            assert done["timings"]["network_setup_ms"] == 1.0
            assert done["environment"]["kernel"]
            assert done["limits"] == {"memory": "a fake"}
            file = setting.paths.runs / run["id"] / "run-observability.json"
            assert json.loads(file.read_text()) == done
            assert (await daemon.ask("GET", "/v1/runs/last"))[1] == done

    play(conversation())


def test_no_policy_is_said_and_denies_everything(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            body = run_request("true", policy=None, options={"detach": True})
            status, run = await daemon.ask("POST", "/v1/runs", body)
            assert status == 201
            assert "cleanroom init" in run["notes"][0]

    play(conversation())


def test_a_wrong_policy_starts_nothing_and_lists_every_fault(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            body = run_request("true", policy="version: 3\nsandbx: {}\n")
            status, problem = await daemon.ask("POST", "/v1/runs", body)
            assert (status, problem["code"]) == (422, "policy_invalid")
            assert [each["line"] for each in problem["errors"]] == [1, 2]
            assert setting.backend.sandboxes == []

    play(conversation())


def test_a_policy_that_needs_more_than_was_proven_starts_nothing(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            body = run_request("true", policy="version: 1\nsandbox: {image: debian}\n")
            status, problem = await daemon.ask("POST", "/v1/runs", body)
            assert (status, problem["code"]) == (422, "backend_capability_mismatch")
            assert "custom_image (needed by sandbox.image)" in problem["detail"]
            assert setting.backend.sandboxes == []

    play(conversation())


def test_a_failed_start_leaves_nothing_but_its_record(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        setting.backend.fail_start = Fault(Code.RUNTIME_LAUNCH_FAILED, "cannot start it")
        async with running(setting) as daemon:
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (500, "runtime_launch_failed")
            (sandbox,) = (await daemon.ask("GET", "/v1/sandboxes?all=1"))[1]["sandboxes"]
            assert (sandbox["state"], sandbox["failure"]["code"]) == (
                "failed",
                "runtime_launch_failed",
            )
            assert list(setting.paths.sandboxes.iterdir()) == []

    play(conversation())


def test_a_command_that_cannot_start_says_why_and_what_would_help(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            body = {**run_request("nosuch"), "facts": {"path": "/home/a/.nvm/bin"}}
            body["options"] = {"detach": True}
            run = (await daemon.ask("POST", "/v1/runs", body))[1]
            done = await daemon.finished(run)
            assert done["exit_code"] == 127
            assert done["notes"][-2].startswith("cannot run 'nosuch'")
            assert "tools: [/home/a/.nvm/bin]" in done["notes"][-1]
            done = await daemon.finished(await daemon.run("nosuch"))
            assert "no folder of the sandbox's PATH has 'nosuch'" in done["notes"][-1]

    play(conversation())


async def _named(daemon: Daemon, name: str, *command: str) -> Json:
    return await daemon.finished(await daemon.run(*command, sandbox=name))


def test_a_named_sandbox_is_made_once_and_used_again(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            first = await _named(daemon, "dev", "true")
            second = await _named(daemon, "dev", "true")
            assert first["sandbox_id"] == second["sandbox_id"]
            (machine,) = setting.backend.sandboxes
            assert machine.refreshes == 1  # the second command sees the host's edits
            assert machine.stops == 0

    play(conversation())


def test_a_named_sandbox_is_not_used_under_another_policy_or_for_another_folder(
    short_path: Path,
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await _named(daemon, "dev", "true")
            other = run_request("true", policy="version: 1\n", options={"sandbox": "dev"})
            status, problem = await daemon.ask("POST", "/v1/runs", other)
            assert (status, problem["code"]) == (409, "conflict")
            assert "another policy" in problem["detail"]
            moved = {**run_request("true", options={"sandbox": "dev"}), "workspace": "/other"}
            assert "another workspace" in (await daemon.ask("POST", "/v1/runs", moved))[1]["detail"]
            same = {**run_request("true", options={"sandbox": "dev"}), "workspace": "/other"}
            assert (await daemon.ask("POST", "/v1/sandboxes", without_command(same)))[0] == 409

    play(conversation())


def without_command(body: dict[str, object]) -> dict[str, object]:
    """Return a SandboxRequest for a RunRequest."""
    return {key: value for key, value in body.items() if key != "command"}


def test_more_sandboxes_than_the_operator_allows_are_refused(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path, config_text="limits:\n  sandboxes: 1\n")
        async with running(setting) as daemon:
            await daemon.run("sleep")
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (429, "resource_limit")

    play(conversation())


def test_more_commands_than_the_operator_allows_are_refused(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path, config_text="limits:\n  executions: 1\n")
        async with running(setting) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            path = f"/v1/sandboxes/{run['sandbox_id']}/executions"
            status, problem = await daemon.ask("POST", path, {"command": ["true"]})
            assert (status, problem["code"]) == (429, "resource_limit")
            assert POLICY

    play(conversation())


def test_options_of_a_new_sandbox_are_not_ignored_for_a_living_one(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", sandbox="dev")
            path = f"/v1/sandboxes/{run['sandbox_id']}/executions"
            body = {"command": ["true"], "options": {"isolation": "vm"}}
            status, problem = await daemon.ask("POST", path, body)
            assert (status, problem["code"]) == (400, "request_invalid")

    play(conversation())


def test_a_timeout_ends_the_run_as_such(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            done = await daemon.finished(await daemon.run("sleep", timeout_s=0.05))
            assert (done["state"], done["failure"]["code"]) == ("timed_out", "timed_out")

    play(conversation())


def test_a_gateway_that_cannot_start_starts_no_sandbox(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            setting.backend.gateway.broken = True
            setting.backend.gateway.alive = False
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (503, "gateway_lost")

    play(conversation())
