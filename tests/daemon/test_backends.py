"""The named backend runs a policy, or nothing does."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cleanroom.api.types import RunOptions
from cleanroom.backends.base import Probe
from cleanroom.daemon.backends import Backends, Place
from cleanroom.errors import CleanroomError, Code
from cleanroom.policy.compile import compile_nothing, compile_policy
from cleanroom.policy.demands import Capability
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy
from tests.fakes import FakeBackend


def works() -> str:
    """Prove the content cache."""
    return ""


def policy(text: str) -> CompiledPolicy:
    """Compile a text."""
    return compile_policy(parse_policy(f"version: 1\n{text}", "cleanroom.yaml"))


def refused(work: Coroutine[Any, Any, Place]) -> tuple[Code, str]:
    """Return why nothing runs."""
    with pytest.raises(CleanroomError) as caught:
        asyncio.run(work)
    return caught.value.code, caught.value.message


def test_the_default_place_runs_what_it_proves() -> None:
    backend = FakeBackend()
    place = asyncio.run(
        Backends({"local": backend}, works).that_proves(compile_nothing(), RunOptions())
    )
    assert (place.name, place.backend, place.missing) == ("local", backend, [])
    assert Capability.NETWORK_DEFAULT_DENY in place.needs


def test_an_output_limit_is_the_daemons_own_to_prove() -> None:
    wanted = policy("sandbox:\n  resources: {output: 1MiB}\n")
    place = asyncio.run(Backends({"local": FakeBackend()}, works).that_proves(wanted, RunOptions()))
    assert Capability.LIMIT_OUTPUT not in place.needs


def test_what_is_not_proven_is_refused() -> None:
    wanted = policy("sandbox:\n  resources: {pids: 10}\n")
    code, message = refused(
        Backends({"local": FakeBackend()}, works).that_proves(wanted, RunOptions())
    )
    assert code is Code.BACKEND_CAPABILITY_MISMATCH
    assert "limit_pids (needed by sandbox.resources.pids)" in message


def test_a_host_that_is_not_ready_says_the_repair_and_is_asked_again() -> None:
    backend = FakeBackend()
    backend.ready = False
    backends = Backends({"local": backend}, works)
    code, message = refused(backends.that_proves(compile_nothing(), RunOptions()))
    assert code is Code.BACKEND_UNAVAILABLE
    assert "apt-get install bubblewrap" in message
    backend.ready = True
    assert asyncio.run(backends.that_proves(compile_nothing(), RunOptions())).missing == []


def test_of_a_host_that_is_not_ready_only_what_stops_it_is_said() -> None:
    class Unready(FakeBackend):
        def __init__(self) -> None:
            super().__init__()
            self.missing = {"limit_cpu": "no control group", "userns": "they are switched off"}

        async def probe(self) -> Probe:
            return Probe(
                ready=False, runtime="", capabilities=frozenset(), missing=dict(self.missing)
            )

    backend = Unready()
    backends = Backends({"local": backend}, works)
    _, message = refused(backends.that_proves(compile_nothing(), RunOptions()))
    assert message == "cannot start sandboxes on 'local': userns: they are switched off"
    backend.missing = {"limit_cpu": "no control group"}
    _, message = refused(backends.that_proves(compile_nothing(), RunOptions()))
    assert message == "cannot start sandboxes on 'local': limit_cpu: no control group"


def test_a_probe_is_remembered_until_it_is_asked_for_anew() -> None:
    async def conversation() -> None:
        backend = FakeBackend()
        backends = Backends({"local": backend}, works)
        await backends.probe("local")
        backend.proven = frozenset()
        own = {Capability.LIMIT_OUTPUT, Capability.MISE_BOOTSTRAP}
        assert (await backends.probe("local")).capabilities > own
        assert (await backends.probe("local", fresh=True)).capabilities == own

    asyncio.run(conversation())


@pytest.mark.parametrize("name", ["sprites", "docker", "kubernetes"])
def test_a_known_backend_that_is_absent_is_unavailable(name: str) -> None:
    work = Backends({"local": FakeBackend()}, works).place(
        compile_nothing(), RunOptions(backend=name)
    )
    code, message = refused(work)
    assert code is Code.BACKEND_UNAVAILABLE
    assert "not built yet" in message


def test_an_unknown_backend_is_unavailable_too() -> None:
    work = Backends({"local": FakeBackend()}, works).place(
        compile_nothing(), RunOptions(backend="moon")
    )
    assert "there is none of this name" in refused(work)[1]


def test_a_policy_can_forbid_another_backend_than_its_own() -> None:
    fixed = policy("backends: {default: local, allow_overrides: false}\n")
    backends = Backends({"local": FakeBackend()}, works)
    work = backends.place(fixed, RunOptions(backend="sprites"))
    assert "allow_overrides: false" in refused(work)[1]
    assert asyncio.run(backends.place(fixed, RunOptions(backend="local"))).name == "local"


def test_registries_need_a_cache_that_works_which_is_tried_until_it_does() -> None:
    answers = ["the disk is full", ""]
    backend = FakeBackend(proven=frozenset(Capability) - {Capability.REGISTRY_ENFORCEMENT})
    backends = Backends({"local": backend}, lambda: answers.pop(0))
    wanted = policy("registries: {npm: {enable: true, allowed_hosts: [a.example]}}\n")
    code, message = refused(backends.that_proves(wanted, RunOptions()))
    assert code is Code.BACKEND_CAPABILITY_MISMATCH
    assert "registry_enforcement" in message
    assert "the disk is full" in message
    for _ in range(2):
        place = asyncio.run(backends.that_proves(wanted, RunOptions()))
        assert Capability.REGISTRY_ENFORCEMENT not in place.needs  # the daemon's own
    assert answers == []


def test_registries_need_a_backend_whose_tls_can_be_opened() -> None:
    lacking = {Capability.TLS_INSPECTION, Capability.REGISTRY_ENFORCEMENT}
    backend = FakeBackend(proven=frozenset(Capability) - lacking)
    probe = asyncio.run(Backends({"local": backend}, works).probe("local"))
    assert lacking.isdisjoint(probe.capabilities)
