"""A run gets a new sandbox, the named one or the one that was kept, and is told what differs."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from cleanroom.daemon import taking
from cleanroom.daemon.mise import Equipped, Starter
from cleanroom.daemon.sandbox import Creation
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.widening import Difference, difference
from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running

WIDER = POLICY.replace("registry.example", "other.example")


async def start(daemon: Daemon, policy: str = POLICY, **options: object) -> tuple[int, Json]:
    """Ask for a detached run of a command that ends at once."""
    body = run_request("true", policy=policy, options={"detach": True, **options})
    return await daemon.ask("POST", "/v1/runs", body)


def test_a_kept_sandbox_is_used_again_with_or_without_its_name(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path, config_text="approvals: notice\n")) as daemon:
            ephemeral = (await start(daemon))[1]
            first = (await start(daemon, reuse=True))[1]["sandbox_id"]
            assert first != ephemeral["sandbox_id"]
            assert (await start(daemon, reuse=True))[1]["sandbox_id"] == first
            assert (await start(daemon, sandbox=first))[1]["sandbox_id"] == first
            named = (await start(daemon, sandbox="dev"))[1]["sandbox_id"]
            assert named != first
            assert (await start(daemon, sandbox="dev", reuse=True))[1]["sandbox_id"] == named
            assert (await start(daemon, reuse=True))[1]["sandbox_id"] == named  # the newest

    play(conversation())


def test_what_differs_is_said_and_made_anew_if_asked(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path, config_text="approvals: notice\n")) as daemon:
            first = (await start(daemon, sandbox="dev"))[1]["sandbox_id"]
            for options in ({"sandbox": "dev"}, {"reuse": True}):
                status, problem = await start(daemon, WIDER, **options)
                assert (status, problem["code"]) == (409, "conflict")
                assert "another policy" in problem["detail"]
                assert "other.example" in problem["detail"]
                assert "--recreate" in problem["hint"]
            second = (await start(daemon, WIDER, sandbox="dev", recreate=True))[1]["sandbox_id"]
            assert second != first
            gone = (await daemon.ask("GET", f"/v1/sandboxes/{first}"))[1]
            assert gone["state"] == "stopped"

    play(conversation())


def test_a_sandbox_of_another_workspace_is_not_used(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await start(daemon, sandbox="dev")
            body = run_request("true", options={"detach": True, "sandbox": "dev"})
            status, problem = await daemon.ask("POST", "/v1/runs", {**body, "workspace": "/else"})
            assert status == 409
            assert "another workspace: /home/someone/project" in problem["detail"]

    play(conversation())


def test_another_idle_time_is_said_with_its_unit(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for name, idle_s, had in (("dev", 3600.0, "3600 s"), ("web", None, "none")):
                assert (await start(daemon, sandbox=name, idle_s=idle_s))[0] == 201
                status, problem = await start(daemon, sandbox=name, idle_s=60.0)
                said = f"another idle time: {had}" in problem["detail"]
                assert (status, said) == (409, True), problem
                assert (await start(daemon, sandbox=name))[0] == 201  # it says nothing of it

    play(conversation())


def test_a_sandbox_that_is_offline_is_not_taken_for_one_that_is_not(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            first = (await start(daemon, sandbox="dev", offline=True))[1]
            assert daemon.backend.gateway.offline == {first["sandbox_id"]}
            assert (await start(daemon, sandbox="dev", offline=True))[0] == 201
            status, problem = await start(daemon, sandbox="dev")
            assert status == 409
            assert "made for another network: it is offline" in problem["detail"]
            assert (await start(daemon, sandbox="dev", recreate=True))[0] == 201
            status, problem = await start(daemon, sandbox="dev", offline=True)
            assert "made for another network: it is online" in problem["detail"]

    play(conversation())


def test_an_id_is_found_and_never_given(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            unknown = "sbx_" + "0" * 20
            status, problem = await start(daemon, sandbox=unknown)
            assert (status, problem["code"]) == (404, "sandbox_not_found")
            body = run_request("x", options={"sandbox": unknown})
            del body["command"]
            status, problem = await daemon.ask("POST", "/v1/sandboxes", body)
            assert (status, problem["code"]) == (400, "request_invalid")
            assert not daemon.backend.sandboxes

    play(conversation())


def test_many_at_once_wait_for_the_one_that_makes_it(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            answers = await asyncio.gather(
                *(start(daemon, sandbox="dev") for _ in range(32)),
            )
            assert {status for status, _ in answers} == {201}
            assert len({run["sandbox_id"] for _, run in answers}) == 1

    play(conversation())


@pytest.mark.parametrize("which", [{"sandbox": "dev"}, {"reuse": True}])
def test_tools_that_take_their_time_make_no_second_one(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, which: dict[str, Any]
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            equip = daemon.host.mise.equip

            async def slow(creation: Creation, start: Starter) -> Equipped:
                for _ in range(100):
                    await asyncio.sleep(0)
                return await equip(creation, start)

            monkeypatch.setattr(daemon.host.mise, "equip", slow)
            answers = await asyncio.gather(*(start(daemon, **which) for _ in range(8)))
            assert {status for status, _ in answers} == {201}
            assert len({run["sandbox_id"] for _, run in answers}) == 1

    play(conversation())


def test_a_failed_run_leaves_its_sandbox_if_asked(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            good = await daemon.run("true", keep_on_failure=True)
            await daemon.finished(good)
            bad = await daemon.finished(await daemon.run("false", keep_on_failure=True))
            assert any(bad["sandbox_id"] in note for note in bad["notes"])
            for run, state in ((good, "stopped"), (bad, "ready")):
                found = (await daemon.ask("GET", f"/v1/sandboxes/{run['sandbox_id']}"))[1]
                assert found["state"] == state
            status, again = await start(daemon, sandbox=bad["sandbox_id"])
            assert (status, again["sandbox_id"]) == (201, bad["sandbox_id"])

    play(conversation())


def test_what_it_shows_of_the_host_differs_too(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            data = [{"path": "/data", "at": "/d"}]
            first = (await start(daemon, sandbox="dev", mounts=data))[1]["sandbox_id"]
            same = (await start(daemon, sandbox="dev", mounts=data))[1]["sandbox_id"]
            assert same == (await start(daemon, sandbox="dev"))[1]["sandbox_id"] == first
            status, problem = await start(daemon, sandbox="dev", mounts=[{"path": "/else"}])
            assert (status, "another --mount: /data" in problem["detail"]) == (409, True)
            volume = [{"name": "home", "at": "/h"}]
            status, problem = await start(daemon, sandbox="dev", volumes=volume)
            assert (status, "another --volume: none" in problem["detail"]) == (409, True)
            status, problem = await start(daemon, sandbox="dev", workspace_mode="ro")
            assert (status, "another --workspace: cow" in problem["detail"]) == (409, True)

    play(conversation())


def test_a_long_comparison_for_a_refusal_keeps_nobody_waiting(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(old: CompiledPolicy, new: CompiledPolicy) -> Difference:
        begun.set()
        assert go_on.wait(60)
        return difference(old, new)

    async def conversation() -> None:
        async with running(Setting(short_path, config_text="approvals: notice\n")) as daemon:
            await start(daemon, sandbox="dev")
            monkeypatch.setattr(taking, "difference", slowly)
            asked = asyncio.get_running_loop().create_task(start(daemon, WIDER, sandbox="dev"))
            assert await asyncio.to_thread(begun.wait, 60)
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200
            go_on.set()
            status, problem = await asked
            assert (status, problem["code"]) == (409, "conflict")
            assert "other.example" in problem["detail"]

    play(conversation())
