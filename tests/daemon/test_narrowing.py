"""Living sandboxes are held to a narrower policy, and to nothing else of it."""

import asyncio
import threading
from pathlib import Path

import pytest

from cleanroom.daemon import narrowing, run
from cleanroom.daemon.mise import Equipped, Starter
from cleanroom.daemon.sandbox import Creation
from cleanroom.errors import Code, Fault
from cleanroom.policy.agent_recipes import RECIPES
from cleanroom.policy.agents import word_of
from cleanroom.policy.demands import Capability
from cleanroom.policy.living import Hold, hold
from cleanroom.policy.model import CompiledPolicy
from tests.daemon.daemons import POLICY, Daemon, Json, Setting, play, run_request, running
from tests.fakes import FakeBackend

CLAUDE = RECIPES["claude"]
AGENT = word_of(CLAUDE, CLAUDE.credentials[0])
HERE = "/home/someone/project"
NARROW = "version: 1\n"
WIDER = POLICY + "      - host: other.example\n"
SHORTER = NARROW + "sandbox: {ttl_minutes: 1}\n"


def setting(short_path: Path) -> Setting:
    """A daemon that asks for approvals and enforces all that a policy can say."""
    return Setting(
        short_path, FakeBackend(proven=frozenset(Capability)), config_text="approvals: ask\n"
    )


async def start(
    daemon: Daemon, name: str, policy: str = POLICY, *, workspace: str = HERE, agent: str = ""
) -> Json:
    """Start something that stays, in the folder or in another one."""
    body = run_request("sleep", policy=policy, options={"detach": True, "sandbox": name})
    text = {"path": "cleanroom.yaml", "text": policy, "agent": agent}
    body = {**body, "policy": text, "workspace": workspace}
    status, begun = await daemon.ask("POST", "/v1/runs", body)
    assert status == 201, begun
    return begun


async def reload(daemon: Daemon, policy: str, *names: str) -> tuple[int, Json]:
    """Ask for it."""
    text = {"path": "cleanroom.yaml", "text": policy}
    body = {"workspace": HERE, "policy": text, "sandboxes": list(names)}
    return await daemon.ask("POST", "/v1/policy/reload", body)


def outcomes(answer: tuple[int, Json]) -> dict[str, str]:
    """Return what became of each, by name."""
    status, report = answer
    assert status == 200, report
    return {each["name"]: each["outcome"] for each in report["sandboxes"]}


def test_every_sandbox_of_the_folder_is_held_and_no_other(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            begun = await start(daemon, "dev")
            await start(daemon, "two")
            await start(daemon, "else", workspace="/home/someone/other")
            answer = await reload(daemon, NARROW)
            assert outcomes(answer) == {"dev": "narrowed", "two": "narrowed"}
            dev = answer[1]["sandboxes"][0]
            text = "host registry.example on port 443"
            assert dev["changes"] == [{"effect": "narrower", "text": text}]
            held = daemon.backend.gateway.narrowed
            assert len(held) == 2
            assert held[begun["sandbox_id"]].policy_hash == dev["policy_hash"]
            record = (await daemon.ask("GET", "/v1/sandboxes/dev"))[1]
            assert record["policy_hash"] == dev["policy_hash"]
            stored = await daemon.host.store.sandbox("dev")
            assert stored is not None
            assert stored.policy_hash == dev["policy_hash"]
            events = await daemon.lines("/v1/sandboxes/dev/events")
            (event,) = [each for each in events if each.get("kind") == "sandbox.narrowed"]
            assert event["detail"] == {"policy_hash": dev["policy_hash"], "changes": f"- {text}"}
            now = (await daemon.ask("GET", f"/v1/runs/{begun['id']}"))[1]
            assert f"the policy was narrowed: - {text}" in now["notes"]
            assert outcomes(await reload(daemon, NARROW)) == {"dev": "same", "two": "same"}

    play(conversation())


def test_a_run_is_welcome_in_it_again_and_going_back_is_asked_for(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            first = await start(daemon, "dev")
            options = {"detach": True, "sandbox": "dev"}
            body = run_request("true", policy=NARROW, options=options)
            status, problem = await daemon.ask("POST", "/v1/runs", body)
            assert (status, problem["code"]) == (409, "conflict")
            assert problem["hint"].startswith("the policy permits less by now: cleanroom policy")
            assert outcomes(await reload(daemon, NARROW, "dev")) == {"dev": "narrowed"}
            status, again = await daemon.ask("POST", "/v1/runs", body)
            assert (status, again["sandbox_id"]) == (201, first["sandbox_id"])
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (403, "approval_required")

    play(conversation())


def test_a_reload_alone_is_a_step_that_going_back_from_is_asked_for(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            await reload(daemon, NARROW)
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (403, "approval_required")

    play(conversation())


def test_one_that_can_have_no_such_policy_keeps_no_other_from_its_own(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deny rule for a host that `--agent` added is a conflict, in that sandbox only."""
    monkeypatch.setattr(run, "check_given", lambda *_: None)  # it runs without its login
    (host,) = CLAUDE.credentials[0].hosts
    denied = f"version: 1\nsandbox: {{network: {{default: deny, deny: [{{host: {host}}}]}}}}\n"

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "agent", agent=AGENT)
            await start(daemon, "dev")
            answer = await reload(daemon, denied)
            assert outcomes(answer) == {"agent": "refused", "dev": "narrowed"}
            (agent,) = (each for each in answer[1]["sandboxes"] if each["name"] == "agent")
            assert host in agent["reason"]
            status, problem = await daemon.ask("POST", "/v1/runs", run_request("true"))
            assert (status, problem["code"]) == (403, "approval_required")

    play(conversation())


def test_what_is_wider_is_refused_whole_and_approves_nothing(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            status, report = await reload(daemon, WIDER)
            (dev,) = report["sandboxes"]
            assert (status, dev["outcome"]) == (200, "refused")
            assert dev["reason"] == "the policy also reaches more"
            text = "host other.example on port 80, 443"
            assert dev["changes"] == [{"effect": "wider", "text": text}]
            assert daemon.backend.gateway.narrowed == {}
            opened = POLICY + "        inspect: true\n"
            (dev,) = (await reload(daemon, opened))[1]["sandboxes"]
            assert "TLS of registry.example would be opened" in dev["reason"]
            status, problem = await daemon.ask(
                "POST", "/v1/runs", run_request("true", policy=WIDER)
            )
            assert (status, problem["code"]) == (403, "approval_required")

    play(conversation())


def test_what_it_was_made_with_is_named_and_still_differs(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            (dev,) = (await reload(daemon, SHORTER))[1]["sandboxes"]
            assert (dev["outcome"], dev["later"]) == ("narrowed", ["sandbox.ttl: 1800 -> 60"])
            (dev,) = (await reload(daemon, SHORTER))[1]["sandboxes"]
            assert (dev["outcome"], dev["later"]) == ("same", ["sandbox.ttl: 1800 -> 60"])
            body = run_request("true", policy=SHORTER, options={"sandbox": "dev"})
            status, problem = await daemon.ask("POST", "/v1/runs", body)
            assert (status, problem["code"]) == (409, "conflict")
            assert "policy: sandbox.ttl: 1800 -> 60" in problem["detail"]
            assert "--recreate" in problem["hint"]

    play(conversation())


def test_what_an_agent_was_given_stays_its_own(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says nothing of it, so that nothing of it is taken away."""
    monkeypatch.setattr(run, "check_given", lambda *_: None)  # it runs without its login

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev", agent=AGENT)
            assert outcomes(await reload(daemon, POLICY)) == {"dev": "same"}
            (dev,) = (await reload(daemon, NARROW))[1]["sandboxes"]
            assert [each["text"] for each in dev["changes"]] == [
                "host registry.example on port 443"
            ]

    play(conversation())


def test_only_living_sandboxes_of_the_folder_can_be_named(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            await start(daemon, "two")
            await start(daemon, "else", workspace="/home/someone/other")
            for name in ("else", "nobody"):
                status, problem = await reload(daemon, NARROW, "dev", name)
                assert (status, problem["code"]) == (404, "sandbox_not_found")
            assert daemon.backend.gateway.narrowed == {}
            assert outcomes(await reload(daemon, NARROW, "two")) == {"two": "narrowed"}
            status, problem = await reload(daemon, "version: 7\n")
            assert (status, problem["code"]) == (422, "policy_invalid")
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            assert outcomes(await reload(daemon, NARROW)) == {"two": "same"}

    play(conversation())


def test_what_the_place_cannot_enforce_is_refused(short_path: Path) -> None:
    npm = "registries: {npm: {enable: true, allowed_hosts: [r.example]%s}}\n"
    locked = ", cooldown: 1d"

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev", policy=POLICY + npm % "")
            daemon.backend.proven = frozenset()
            daemon.host.backends._probes.clear()
            (dev,) = (await reload(daemon, POLICY + npm % locked))[1]["sandboxes"]
            assert dev["outcome"] == "refused"
            assert "cannot run this policy on 'local'" in dev["reason"]

    play(conversation())


def test_without_a_record_nothing_is_narrowed(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that cannot be written ends the network by itself, with the gateway's next event."""

    def fails(*_words: object) -> None:
        raise Fault(Code.INTERNAL, "cannot write the audit log")

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            with monkeypatch.context() as patch:
                patch.setattr(daemon.host.journal, "_write", fails)
                status, problem = await reload(daemon, NARROW)
            assert (status, problem["code"]) == (500, "internal")
            assert daemon.backend.gateway.narrowed == {}
            assert outcomes(await reload(daemon, NARROW)) == {"dev": "narrowed"}

    play(conversation())


@pytest.mark.parametrize("way", ["run", "create"])
@pytest.mark.parametrize("agent", ["", AGENT])
def test_a_sandbox_that_is_made_after_a_reload_has_no_older_policy(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, agent: str
) -> None:
    """Its text came before; while its tools are installed, say, the policy is reloaded."""
    monkeypatch.setattr(run, "check_given", lambda *_: None)

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            equip = daemon.host.mise.equip
            meanwhile = NARROW

            async def slowly(creation: Creation, start: Starter) -> Equipped:
                await reload(daemon, meanwhile)
                return await equip(creation, start)

            monkeypatch.setattr(daemon.host.mise, "equip", slowly)
            text = {"path": "cleanroom.yaml", "text": POLICY, "agent": agent}
            body = {"workspace": HERE, "policy": text}
            path = "/v1/sandboxes"
            if way == "run":
                path, body = "/v1/runs", {**body, "command": ["true"], "options": {"detach": True}}
            status, problem = await daemon.ask("POST", path, body)
            assert (status, problem["code"]) == (409, "conflict")
            assert "reloaded since the run began" in problem["detail"]
            assert daemon.host.sandboxes.live == []
            meanwhile = POLICY  # the same text: nothing of it is older
            body["options"] = {"detach": True, "approved_policy": ""}
            await daemon.ask("POST", "/v1/policy/approve", {"workspace": HERE, "policy": text})
            assert (await daemon.ask("POST", path, body))[0] == 201

    play(conversation())


def test_one_that_ends_meanwhile_is_nobodys_refusal(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            meant = daemon.host.sandboxes.live
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            monkeypatch.setattr(narrowing, "_living", lambda *_: meant)
            assert outcomes(await reload(daemon, NARROW)) == {}
            assert daemon.backend.gateway.narrowed == {}

    play(conversation())


def test_a_long_comparison_keeps_nobody_waiting_and_one_that_ends_in_it_has_ended(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(running: CompiledPolicy, new: CompiledPolicy) -> Hold:
        begun.set()
        assert go_on.wait(60)
        return hold(running, new)

    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await start(daemon, "dev")
            monkeypatch.setattr(narrowing, "hold", slowly)
            asked = asyncio.get_running_loop().create_task(reload(daemon, NARROW))
            assert await asyncio.to_thread(begun.wait, 60)
            assert (await daemon.ask("POST", "/v1/sandboxes/dev/stop"))[0] == 200
            go_on.set()
            assert outcomes(await asked) == {}
            assert daemon.backend.gateway.narrowed == {}

    play(conversation())
