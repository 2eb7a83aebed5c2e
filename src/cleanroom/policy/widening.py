"""Two compiled policies compared: what the newer one lets through, keeps, grants or waits for more.

In: the policy that was approved, the one that is to run. Out: Changes, each of which widens; none
if the newer one only narrows. Never: a field that is not compared; of one that nobody wrote an
order for, every change widens.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

from cleanroom.policy.demands import Limits
from cleanroom.policy.model import (
    CompiledPolicy,
    MisePolicy,
    NetworkPolicy,
    RegistryPolicy,
    Rule,
    RuleKind,
    SandboxPolicy,
)
from cleanroom.policy.network_reach import Point, allows_name, undenied_blocks, wider_points
from cleanroom.policy.opened import registry_hosts
from cleanroom.policy.sites import folded, prefix_of, split_site
from cleanroom.policy.widening_secrets import widened_secrets
from cleanroom.policy.widening_values import (
    Change,
    added,
    changed,
    less,
    more,
    other_fields,
    turned,
)

# What reaches nothing: names of things, and what follows from the rest.
NEUTRAL: Final = frozenset({"policy_hash", "source_path", "labels", "required_capabilities"})
_ISOLATION: Final = ("vm", "gvisor", "namespaces")  # strongest first
_HTTPS_PORT: Final = 443
_SHOWN: Final = 8  # of the entries that one line counts up


@dataclass(frozen=True, slots=True)
class Difference:
    """What a newer policy changes, in both directions."""

    wider: tuple[Change, ...]
    narrower: tuple[Change, ...]


def difference(old: CompiledPolicy, new: CompiledPolicy) -> Difference:
    """Return all that differs in reach. A change of one key can do both."""
    narrower = tuple(change.reversed() for change in widening(new, old))
    return Difference(widening(old, new), narrower)


def widening(old: CompiledPolicy, new: CompiledPolicy) -> tuple[Change, ...]:
    """Return what `new` permits beyond `old`; nothing if every run under it was permitted."""
    if old.policy_hash == new.policy_hash:
        return ()
    return tuple(_widening(old, new))


def _widening(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[Change]:
    yield from _network(old, new)
    yield from _registries(old, new)
    yield from widened_secrets(old.secrets, new.secrets)
    yield from _sandbox(old.sandbox, new.sandbox)
    yield from changed("backends.default", old.backends.default, new.backends.default)
    allow = "backends.allow_overrides"
    yield from turned(allow, old.backends.allow_overrides, new.backends.allow_overrides, to=True)
    known = {"default", "allow_overrides"}
    yield from other_fields("backends", old.backends, new.backends, known)
    known = {"network", "registries", "secrets", "sandbox", "backends"} | NEUTRAL
    yield from other_fields("", old, new, known)


def _network(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[Change]:
    ports: dict[tuple[Point, tuple[str, ...]], list[int]] = {}
    # A host that a registry opens in both: only a deny rule can close it, so its loss is seen here.
    hosts = registry_hosts(old) & registry_hosts(new)
    before, after = _with_registries(old.network, hosts), _with_registries(new.network, hosts)
    for each in wider_points(before, after):
        ports.setdefault((each.point, each.flags), []).append(each.port)
    for (point, flags), found in ports.items():
        said = f"{point.text} on port {', '.join(map(str, found))}"
        yield Change(f"host {said}" + (f", looser: {', '.join(flags)}" if flags else ""))
    # What held it to packages goes away, and a rule lets all of it through.
    for host in sorted(registry_hosts(old) - registry_hosts(new)):
        if allows_name(new.network, host, _HTTPS_PORT):
            yield Change(f"host {host} on port {_HTTPS_PORT}, past its registry")
    for each in undenied_blocks(old.network, new.network):
        yield Change(f"addresses {each.point.text} on port {each.port}, where allowed names lead")
    known = {"allow_rules", "deny_rules"}
    yield from other_fields("sandbox.network", old.network, new.network, known)


def _with_registries(network: NetworkPolicy, hosts: frozenset[str]) -> NetworkPolicy:
    """Return the section with what cleanroom.decide.match takes as if a rule said so."""
    rules = (Rule(RuleKind.EXACT, host, (_HTTPS_PORT,), inspect=True) for host in sorted(hosts))
    return replace(network, allow_rules=(*rules, *network.allow_rules))


def _registries(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[Change]:
    before = {each.manager: each for each in old.registries if each.enabled}
    for registry in new.registries:
        if not registry.enabled:
            continue
        name = f"registries.{registry.manager}"
        known = before.get(registry.manager)
        if known is None:
            yield Change(f"registry {registry.manager} of {', '.join(registry.allowed_hosts)}")
        else:
            yield from _registry(name, known, registry)
    yield from _places(old, new)


def _places(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[Change]:
    """Yield sites that another registry has now, as no longer one of them is named by its path."""
    before, after = _owners(old), _owners(new)
    for host, sites in before.items():
        there = {folded(prefix): manager for prefix, manager in after.get(host, {}).items()}
        for prefix, manager in sites.items():
            now = prefix_of(there, folded(prefix))
            owner = manager if now is None else there[now]
            if owner != manager and now != folded(prefix):  # else allowed_hosts says so
                yield Change(f"registry {owner} of {host}{prefix}, past {manager}")


def _owners(policy: CompiledPolicy) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for registry in policy.registries:
        for host, prefix in map(split_site, registry.allowed_hosts if registry.enabled else ()):
            found.setdefault(host, {})[prefix] = registry.manager
    return found


def _registry(name: str, old: RegistryPolicy, new: RegistryPolicy) -> Iterator[Change]:
    yield from added(f"{name}.allowed_hosts", old.allowed_hosts, new.allowed_hosts)
    yield from changed(f"{name}.cache_ref", old.cache_ref, new.cache_ref)
    if new.fallback != "deny":
        yield from changed(f"{name}.fallback", old.fallback, new.fallback)
    yield from turned(f"{name}.read_only", old.read_only, new.read_only, to=False)
    yield from less(f"{name}.cooldown", old.cooldown_s, new.cooldown_s, nothing=0)
    yield from added(f"{name}.exceptions", old.exceptions, new.exceptions)
    lock = f"{name}.lockfile_enforcement"
    before, after = old.lockfile, new.lockfile
    yield from turned(f"{lock}.enabled", before.enabled, after.enabled, to=False)
    if before.enabled and after.enabled:
        if after.mode != "deny_unknown":
            yield from changed(f"{lock}.mode", before.mode, after.mode)
        yield from added(f"{lock}.lockfiles", before.lockfiles, after.lockfiles)
    yield from other_fields(lock, before, after, {"enabled", "mode", "lockfiles"})
    if before.enabled and after.enabled:
        yield from _pins(name, old, new)
    known = {
        "manager", "enabled", "allowed_hosts", "cache_ref", "fallback", "read_only", "cooldown_s",
        "exceptions", "lockfile", "artifact_allowlist", "unpinned",
    }  # fmt: skip
    yield from other_fields(name, old, new, known)


def _pins(name: str, old: RegistryPolicy, new: RegistryPolicy) -> Iterator[Change]:
    """Yield one change for all packages that only the newer lock files pin."""
    before = frozenset(old.artifact_allowlist)
    pins = [pin for pin in new.artifact_allowlist if pin not in before]
    if pins:
        shown = [f"{pin.name} {pin.version}".strip() for pin in pins[:_SHOWN]]
        rest = [f"and {len(pins) - _SHOWN} more"] if len(pins) > _SHOWN else []
        yield Change(f"{name}: packages {', '.join([*shown, *rest])}")


def _sandbox(old: SandboxPolicy, new: SandboxPolicy) -> Iterator[Change]:
    yield from more("sandbox.ttl", old.ttl_s, new.ttl_s)
    if _ISOLATION.index(new.isolation) > _ISOLATION.index(old.isolation):
        yield from changed("sandbox.isolation", old.isolation, new.isolation)
    yield from changed("sandbox.image", old.image, new.image)
    for each in fields(Limits):
        before, after = getattr(old.limits, each.name), getattr(new.limits, each.name)
        yield from more(f"sandbox.resources.{each.name}", before, after)
    yield from _mise(old.mise, new.mise)
    known = {"ttl_s", "isolation", "image", "limits", "mise"}
    yield from other_fields("sandbox", old, new, known)


def _mise(old: MisePolicy, new: MisePolicy) -> Iterator[Change]:
    if not new.enabled:
        if new.enabled is None and old.enabled is False:
            yield from changed("sandbox.mise.enabled", old.enabled, new.enabled)
        return
    if not old.enabled:
        yield from changed("sandbox.mise.enabled", old.enabled, new.enabled)
    name = "sandbox.mise.auto_bootstrap"
    yield from turned(name, old.auto_bootstrap, new.auto_bootstrap, to=True)
    yield from added("sandbox.mise.config_files", old.config_files, new.config_files)
    known = {"enabled", "auto_bootstrap", "config_files"}
    yield from other_fields("sandbox.mise", old, new, known)
