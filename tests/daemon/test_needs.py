"""Everything a policy needs is proven, or named with what needs it."""

import pytest

from cleanroom.backends.base import Probe
from cleanroom.daemon import needs
from cleanroom.errors import Code, UserError
from cleanroom.policy.capabilities import ALWAYS
from cleanroom.policy.compile import compile_nothing, compile_policy
from cleanroom.policy.demands import Capability
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy

LATER = """\
version: 1
sandbox:
  image: debian
  isolation: gvisor
  resources: {memory: 1GiB, pids: 100}
  network:
    allow:
      - {host: a.example, inspect: true}
registries:
  npm: {enable: true, allowed_hosts: [a.example], cache_ref: other}
  git: {enable: true, allowed_hosts: [b.example], cooldown: 7d}
"""


def policy(text: str) -> CompiledPolicy:
    """Compile a text."""
    return compile_policy(parse_policy(text, "cleanroom.yaml"))


def probe(*proven: Capability, **missing: str) -> Probe:
    """A ready backend that proves this."""
    return Probe(ready=True, runtime="r", capabilities=frozenset(proven), missing=missing)


def test_each_missing_capability_is_named_with_what_needs_it() -> None:
    compiled = policy(LATER)
    needed = needs.needs_of(compiled, compiled.sandbox.isolation)
    found = needs.missing(compiled, needed, probe(*ALWAYS, limit_memory="no cgroup is delegated"))
    reasons = {each.capability: (each.needed_by, each.reason) for each in found}
    assert reasons["registry_enforcement"][0] == "registries.git.enable: true"
    assert reasons["registry_git"] == ("registries.git.cooldown", "not enforced yet")
    assert reasons["named_cache"] == ("registries.npm.cache_ref: other", "not enforced yet")
    assert reasons["limit_memory"] == ("sandbox.resources.memory", "no cgroup is delegated")
    assert reasons["limit_pids"][1] == "this host did not prove it"
    assert reasons["custom_image"][0] == "sandbox.image"
    assert reasons["isolation_gvisor"][0] == "sandbox.isolation: gvisor"
    assert "tls_inspection" in reasons
    refusal = needs.refusal("local", found)
    assert refusal.code is Code.BACKEND_CAPABILITY_MISMATCH
    assert all(each.capability in refusal.message for each in found)


def test_nothing_is_missing_where_all_is_proven() -> None:
    compiled = compile_nothing()
    needed = needs.needs_of(compiled, "namespaces")
    proven = probe(*ALWAYS, Capability.ISOLATION_NAMESPACES)
    assert needs.missing(compiled, needed, proven) == []


def test_a_caller_may_raise_the_floor_and_never_lower_it() -> None:
    compiled = policy(LATER)
    assert needs.isolation_floor(compiled, None) == "gvisor"
    assert needs.isolation_floor(compiled, "namespaces") == "gvisor"
    assert needs.isolation_floor(compiled, "vm") == "vm"
    with pytest.raises(UserError):
        needs.isolation_floor(compiled, "magic")


def test_a_floor_from_the_command_line_says_so() -> None:
    compiled = compile_nothing()
    found = needs.missing(compiled, needs.needs_of(compiled, "vm"), probe(*ALWAYS))
    assert {each.needed_by for each in found} == {"--isolation", "sandbox.isolation: namespaces"}
