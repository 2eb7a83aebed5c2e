"""Policies over the API."""

import io
import json
from pathlib import Path

from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running

TEXT = {"path": "cleanroom.yaml", "text": POLICY}

PRIVATE = {
    "path": "cleanroom.yaml",
    "text": "version: 1\nsandbox: {network: {allow: [{host: 10.0.0.0/8}]}}\n",
}


async def ask(daemon: Daemon, what: str, **body: object) -> tuple[int, Json]:
    """Ask about a policy."""
    return await daemon.ask("POST", f"/v1/policy/{what}", {"policy": TEXT, **body})


def test_validate_returns_the_plan(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            status, report = await ask(daemon, "validate")
            assert (status, report["runnable"]) == (200, True)
            assert report["allow"][0]["rule"] == "registry.example:443"
            assert report["policy_hash"].startswith("sha256:")

    play(conversation())


def test_validate_lists_every_fault_with_its_place(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            wrong = {
                "path": "cleanroom.yaml",
                "text": "version: 1\nsandbox: {netwrk: {}, ttl: 1}\n",
            }
            status, problem = await ask(daemon, "validate", policy=wrong)
            assert (status, problem["code"]) == (422, "policy_invalid")
            assert [(each["line"], each["path"]) for each in problem["errors"]] == [
                (2, "cleanroom.yaml"),
                (2, "cleanroom.yaml"),
            ]

    play(conversation())


def test_the_lock_files_to_send_are_named(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            assert await ask(daemon, "lockfiles") == (200, {"patterns": []})
            text = (
                "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [r.example],"
                " lockfile_enforcement: {enabled: true, lockfiles: [b, a/*]}}}"
            )
            named = await ask(daemon, "lockfiles", policy={"path": "cleanroom.yaml", "text": text})
            assert named == (200, {"patterns": ["a/*", "b"]})

    play(conversation())


def test_lock_files_are_bounded_in_number(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            many = {**TEXT, "lockfiles": {str(number): "" for number in range(257)}}
            status, problem = await ask(daemon, "validate", policy=many)
            assert (status, problem["code"]) == (400, "request_invalid")

    play(conversation())


def test_explain_is_sentences(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            lines = (await ask(daemon, "explain"))[1]["lines"]
            assert any("registry.example on port 443" in line for line in lines)

    play(conversation())


def test_check_is_a_verdict(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            yes = (await ask(daemon, "check", host="registry.example", port=443))[1]
            assert (yes["allowed"], yes["line"]) == (True, 6)
            no = (await ask(daemon, "check", host="evil.test", port=443))[1]
            assert (no["allowed"], no["code"]) == (False, "host_not_allowed")
            address = (await ask(daemon, "check", host="10.0.0.1", port=443, policy=PRIVATE))[1]
            assert (address["allowed"], address["code"]) == (False, "address_not_allowed")
            status, problem = await ask(daemon, "check", host="a\x00b", port=443)
            assert (status, problem["code"]) == (400, "request_invalid")
            assert (await ask(daemon, "check", host="a", port=70_000))[0] == 400

    play(conversation())


def test_suggest_adds_what_a_run_was_refused(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            missing = await ask(daemon, "suggest", workspace="/nowhere")
            assert (missing[0], missing[1]["code"]) == (404, "execution_not_found")
            run = await daemon.run("deny", "files.example", "443")
            await daemon.finished(run)
            suggestion = (await ask(daemon, "suggest", workspace="/home/someone/project"))[1]
            assert suggestion["changed"]
            assert suggestion["run_id"] == run["id"]
            assert "host: files.example" in suggestion["text"]
            private = await daemon.run("deny", "10.0.0.1", "443")
            await daemon.finished(private)
            hopeless = (await ask(daemon, "suggest", run_id=private["id"]))[1]
            assert not hopeless["changed"]
            assert "gateway.private_hosts: [10.0.0.1]" in hopeless["notes"][0]
            quiet = await daemon.run("true")
            await daemon.finished(quiet)
            nothing = (await ask(daemon, "suggest", run_id=quiet["id"]))[1]
            assert (nothing["changed"], nothing["text"]) == (False, POLICY)

    play(conversation())


def test_suggest_says_that_the_newest_command_never_began(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("true")
            await daemon.finished(run)
            wrong = run_request("true", policy="version: 2\n")
            status, _ = await daemon.ask("POST", "/v1/runs", wrong)
            assert status != 201
            here = wrong["workspace"]
            found = (await ask(daemon, "suggest", workspace=here))[1]
            assert found["run_id"] == run["id"]
            assert "refused before it began (policy_invalid)" in found["notes"][0]
            assert (await ask(daemon, "suggest", run_id=run["id"]))[1]["notes"] == []
            await daemon.finished(await daemon.run("true"))
            assert (await ask(daemon, "suggest", workspace=here))[1]["notes"] == []

    play(conversation())


def test_init_writes_a_policy_that_is_valid(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            facts = {
                "project": "p",
                "managers": ["npm"],
                "configured": {"npm": ["registry.example"]},
                "lockfiles": {"package-lock.json": "{}"},
            }
            status, made = await daemon.ask("POST", "/v1/policy/init", facts)
            assert status == 200
            assert "registry.example" in made["text"]
            text = {"path": "cleanroom.yaml", "text": made["text"]}
            assert (await ask(daemon, "lockfiles", policy=text))[1]["patterns"] == [
                "package-lock.json"
            ]
            lock = {"package-lock.json": '{"lockfileVersion": 3, "packages": {}}'}
            whole = {**text, "lockfiles": lock}
            assert (await ask(daemon, "validate", policy=whole))[0] == 200
            body = {"lockfiles": {"package-lock.json": "x" * 2_000_000}}
            large = io.BytesIO(json.dumps(body).encode())
            async with daemon.http.post("http://d/v1/policy/init", data=large) as response:
                assert response.status == 200

    play(conversation())


def test_the_schema_is_served(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            assert "properties" in (await daemon.ask("GET", "/v1/policy/schema"))[1]

    play(conversation())
