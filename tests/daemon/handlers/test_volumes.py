"""Volumes over the API: listed, removed, kept while a sandbox has them."""

from pathlib import Path

from cleanroom.api.mount_types import VolumeRequest
from cleanroom.daemon.volumes import Identity
from cleanroom.daemon.workspace_mark import workspace_mark
from tests.daemon.daemons import Daemon, Json, Setting, play, run_request, running
from tests.fake_workspaces import FakeWorkspaces

GONE = Identity("/home/someone/project", "mark")


def make(daemon: Daemon, of: Identity, name: str) -> None:
    daemon.host.volumes.overlay(of, VolumeRequest(name=name, at="/v"), make=True)


async def names(daemon: Daemon) -> list[str]:
    status, found = await daemon.ask("GET", "/v1/volumes")
    assert status == 200
    return [f"{each['name']} {each['gone']}" for each in found["volumes"]]


async def remove(daemon: Daemon, **body: object) -> tuple[int, Json]:
    return await daemon.ask("POST", "/v1/volumes/remove", body)


def test_volumes_are_listed_and_removed_by_name(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            here = Identity(str(short_path), workspace_mark(str(short_path)))
            make(daemon, GONE, "home")
            make(daemon, here, "cache")
            assert await names(daemon) == ["home True", "cache False"]
            status, problem = await remove(daemon, workspace=here.path, name="home")
            assert (status, problem["code"]) == (400, "request_invalid")
            status, told = await remove(daemon, workspace=GONE.path, name="home")
            assert (status, [each["name"] for each in told["volumes"]]) == (200, ["home"])
            assert await names(daemon) == ["cache False"]

    play(conversation())


def test_those_of_workspaces_that_are_gone_go_and_all_unused_if_asked(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            here = Identity(str(short_path), workspace_mark(str(short_path)))
            for of in (here, GONE):
                make(daemon, of, "home")
            assert (await remove(daemon))[0] == 200
            assert await names(daemon) == ["home False"]
            assert (await remove(daemon, unused=True))[0] == 200
            assert await names(daemon) == []

    play(conversation())


def test_a_volume_that_a_sandbox_has_stays(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            make(daemon, GONE, "home")
            volume = {"name": "home", "at": "/home/cleanroom"}
            options = {"detach": True, "sandbox": "dev", "volumes": [volume]}
            status, run = await daemon.ask("POST", "/v1/runs", run_request("t", options=options))
            assert status == 201
            (shown,) = (await daemon.ask("GET", "/v1/volumes"))[1]["volumes"]
            assert shown["sandbox_id"] == run["sandbox_id"]
            status, problem = await remove(daemon, workspace=GONE.path, name="home")
            assert (status, problem["code"]) == (409, "conflict")
            assert run["sandbox_id"] in problem["detail"]
            assert (await remove(daemon, unused=True))[1]["volumes"] == []
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            assert (await remove(daemon, workspace=GONE.path, name="home"))[0] == 200

    play(conversation())


def test_the_second_of_two_sandboxes_sees_that_the_first_has_it(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            volume = {"name": "home", "at": "/home/cleanroom"}
            for name in ("one", "two"):
                options: Json = {"detach": True, "sandbox": name, "volumes": [volume]}
                await daemon.ask("POST", "/v1/runs", run_request("t", options=options))
            workspaces = daemon.host.workspaces
            assert isinstance(workspaces, FakeWorkspaces)
            first, second = workspaces.prepared
            assert dict(first.taken) == {}
            assert dict(second.taken) == {(GONE.path, "home"): first.sandbox_id}

    play(conversation())
