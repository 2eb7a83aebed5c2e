"""The daemon about itself."""

import json
import os
from pathlib import Path

from cleanroom import __version__
from cleanroom.api.openapi import render
from tests.daemon.daemons import Setting, play, running


def test_health_says_version_and_idleness(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            status, health = await daemon.ask("GET", "/v1/health")
            assert status == 200
            assert health == {
                "status": "ok",
                "version": __version__,
                "pid": os.getpid(),
                "idle": True,
                "problems": [],
                "sandboxes": 0,
                "on_demand": False,
                "since": health["since"],
                "changed": "",
            }
            assert health["since"].endswith("Z")
            await daemon.run("sleep")
            assert not (await daemon.ask("GET", "/v1/health"))[1]["idle"]

    play(conversation())


def test_it_ends_for_a_successor_unless_something_lives(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path, idle_exit_s=600.0)) as daemon:
            assert (await daemon.ask("GET", "/v1/health"))[1]["on_demand"]
            run = await daemon.run("sleep")
            assert (await daemon.ask("GET", "/v1/health"))[1]["sandboxes"] == 1
            status, said = await daemon.ask("POST", "/v1/retire")
            assert (status, said["code"]) == (409, "conflict")
            await daemon.ask("POST", f"/v1/sandboxes/{run['sandbox_id']}/stop")
            assert (await daemon.ask("POST", "/v1/retire"))[0] == 200

    play(conversation())


def test_one_that_a_person_started_does_not_end_for_another(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            status, said = await daemon.ask("POST", "/v1/retire")
            assert (status, said["code"]) == (409, "conflict")
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    play(conversation())


def test_the_served_document_is_the_generated_one(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            assert (await daemon.ask("GET", "/openapi.json"))[1] == json.loads(render())
            version = (await daemon.ask("GET", "/v1/version"))[1]
            assert (version["version"], version["api"]) == (__version__, "v1")

    play(conversation())


def test_doctor_probes_anew(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            report = (await daemon.ask("GET", "/v1/doctor"))[1]
            assert report["ready"]
            assert report["backends"][0]["runtime"] == "fake 1.0"
            daemon.backend.ready = False
            report = (await daemon.ask("GET", "/v1/doctor"))[1]
            assert not report["ready"]
            assert "apt-get" in report["backends"][0]["missing"]["bubblewrap"]

    play(conversation())


def test_an_audit_log_that_cannot_be_written_refuses_runs_and_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            daemon.host.journal.close()
            body = {"workspace": "/w", "command": ["true"]}
            assert (await daemon.ask("POST", "/v1/runs", body))[0] == 500
            assert setting.backend.sandboxes == []
            health = (await daemon.ask("GET", "/v1/health"))[1]
            assert health["status"] == "degraded"
            assert (await daemon.ask("GET", "/v1/doctor"))[1]["audit"] == "cannot be written"

    play(conversation())


def test_the_configuration_is_shown(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path, config_text="limits:\n  sandboxes: 3\n")
        async with running(setting) as daemon:
            shown = (await daemon.ask("GET", "/v1/config"))[1]
            values = {each["key"]: each for each in shown["values"]}
            assert values["limits.sandboxes"]["value"] == "3"
            assert values["limits.sandboxes"]["origin"] == f"{setting.paths.config}:2"
            assert not shown["changed"]
            setting.paths.config.unlink()
            assert (await daemon.ask("GET", "/v1/config"))[1]["changed"]
            health = (await daemon.ask("GET", "/v1/health"))[1]
            assert health["changed"] == str(setting.paths.config)

    play(conversation())
