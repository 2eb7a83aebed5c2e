"""Policy -> CompiledPolicy: expanded, merged, sorted, judged for contradictions, hashed.

In: a policy as written. Out: the frozen value that everything below enforces.
Never: a file, a clock, or a hash that depends on order, places, labels or the file's name.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Final

from cleanroom.policy.capabilities import needs
from cleanroom.policy.merge import merge_rules, refuse_conflicts
from cleanroom.policy.model import (
    BackendPolicy,
    CompiledPolicy,
    GitScope,
    Labels,
    LockfilePolicy,
    NetworkPolicy,
    PushRules,
    RegistryPolicy,
    Rule,
    SandboxPolicy,
    SecretBinding,
)
from cleanroom.policy.patterns import meet, reduced
from cleanroom.policy.problems import PolicyErrors, Problem
from cleanroom.policy.sites import hosts_of
from cleanroom.policy.written import Policy, SandboxSection

# Part of the hash: a change of what a field means must change every hash.
MEANING_VERSION: Final = 1
_PINS: Final = b'"pins":[]'
_PART: Final = 1000


def compile_policy(policy: Policy) -> CompiledPolicy:
    """Return what is enforced. Equal meaning gives equal values and hashes, in any order.

    Raises PolicyErrors: policy_conflict if the same target and port is both allowed and denied,
    policy_invalid if two secrets share an id, a variable or a git repository, or if a secret is
    git's for a host that is none of git's.
    """
    network = _compile_network(policy.sandbox.network, policy.path)
    registries = tuple(sorted(map(_compile_registry, policy.registries), key=_manager))
    secrets = _compile_secrets(policy)
    compiled = CompiledPolicy(
        policy_hash="",
        source_path=policy.path,
        network=network,
        registries=registries,
        secrets=secrets,
        sandbox=policy.sandbox.rest,
        backends=policy.backends,
        labels=Labels(*map(_sorted_pairs, (policy.labels.project, policy.labels.metadata))),
        required_capabilities=tuple(needs(network, registries, secrets, policy.sandbox.rest)),
    )
    return dataclasses.replace(compiled, policy_hash=_hash(compiled))


def compile_nothing() -> CompiledPolicy:
    """Return the policy of a workspace without a policy file: no egress at all."""
    sandbox = SandboxSection(NetworkPolicy(), SandboxPolicy())
    return compile_policy(Policy("", sandbox, (), (), BackendPolicy(), Labels()))


def with_reach(made_by: CompiledPolicy, new: CompiledPolicy) -> CompiledPolicy:
    """Return `made_by` with what `new` lets a sandbox reach: network, registries and secrets."""
    network, registries, secrets = new.network, new.registries, new.secrets
    both = dataclasses.replace(
        made_by,
        source_path=new.source_path,
        network=network,
        registries=registries,
        secrets=secrets,
        required_capabilities=tuple(needs(network, registries, secrets, made_by.sandbox)),
    )
    return dataclasses.replace(both, policy_hash=_hash(both))


def _compile_network(network: NetworkPolicy, path: str) -> NetworkPolicy:
    allow = merge_rules(network.allow_rules, path)
    deny = merge_rules(network.deny_rules, path)
    refuse_conflicts(allow, deny, path)
    return NetworkPolicy(allow, deny)


def _compile_registry(policy: RegistryPolicy) -> RegistryPolicy:
    lockfile = policy.lockfile
    exceptions = sorted(
        set(policy.exceptions), key=lambda each: (each.purl, each.expires, str(each))
    )
    return dataclasses.replace(
        policy,
        allowed_hosts=_sorted_set(policy.allowed_hosts),
        lockfile=dataclasses.replace(lockfile, lockfiles=_sorted_set(lockfile.lockfiles)),
        exceptions=tuple(exceptions),
    )


def _manager(policy: RegistryPolicy) -> str:
    return policy.manager


def _compile_secrets(policy: Policy) -> tuple[SecretBinding, ...]:
    seen: set[str] = set()
    problems = []
    for secret in policy.secrets:
        for word, name in (("id", secret.secret_id), ("env", secret.env)):
            if f"{word}={name}" in seen:
                message = f"cannot bind two secrets with {word} '{name}'"
                place = secret.place
                problems.append(
                    Problem(policy.path, place.line, place.column, message, "rename one")
                )
            seen.add(f"{word}={name}")
    problems += _git_problems(policy)
    if problems:
        raise PolicyErrors(problems)
    return tuple(sorted(map(_sorted_secret, policy.secrets), key=lambda each: each.secret_id))


def _git_problems(policy: Policy) -> Iterator[Problem]:
    """Git is told one credential a repository, at hosts where requests are read as git's."""
    known = {
        host
        for each in policy.registries
        if each.enabled and each.manager == "git"
        for host in hosts_of(each.allowed_hosts)
    }
    seen: list[tuple[str, str, str]] = []
    for secret in policy.secrets:
        place, git = secret.place, secret.git or GitScope(())
        for host in secret.allowed_hosts if secret.git else ():
            if host not in known:
                message = f"cannot bind '{secret.secret_id}' to git at {host}: it is no git host"
                hint = "add it to registries.git.allowed_hosts, with enable: true"
                yield Problem(policy.path, place.line, place.column, message, hint)
            for name in git.repositories:
                other = next((e for e in seen if e[0] == host and meet(e[1], name)), None)
                if other is not None and other[2] != secret.secret_id:
                    message = f"cannot bind two secrets to {host}/{name}: '{other[2]}' is, too"
                    hint = "let each repository have one"
                    yield Problem(policy.path, place.line, place.column, message, hint)
                seen.append((host, name, secret.secret_id))


def _sorted_git(git: GitScope | None) -> GitScope | None:
    if git is None:
        return None
    push = git.push
    if push is not None:
        push = PushRules(reduced(push.branches), push.force, push.delete)
    return GitScope(reduced(git.repositories), push, git.username)


def _sorted_secret(secret: SecretBinding) -> SecretBinding:
    return dataclasses.replace(
        secret,
        allowed_hosts=_sorted_set(secret.allowed_hosts),
        target=_sorted_set(secret.target),
        ports=tuple(sorted(set(secret.ports))),
        paths=_sorted_set(secret.paths),
        methods=_sorted_set(secret.methods),
        git=_sorted_git(secret.git),
    )


def _sorted_set(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _sorted_pairs(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(pairs))


def _hash(policy: CompiledPolicy) -> str:
    """Return the digest of canonical JSON: sorted keys, no spaces, ASCII, meaning only."""
    sandbox = dataclasses.asdict(policy.sandbox)
    sandbox["mise"]["config_files"] = sorted(set(policy.sandbox.mise.config_files))
    if not policy.sandbox.mise.enabled:
        sandbox["mise"] = {"enabled": policy.sandbox.mise.enabled}
    meaning = {
        "version": MEANING_VERSION,
        "allow": list(map(_rule_meaning, policy.network.allow_rules)),
        "deny": list(map(_rule_meaning, policy.network.deny_rules)),
        "registries": [_registry_meaning(each) for each in policy.registries if each.enabled],
        "secrets": list(map(_secret_meaning, policy.secrets)),
        "sandbox": sandbox,
        "backends": dataclasses.asdict(policy.backends),
    }
    digest = hashlib.sha256()
    # In a string a quote has a backslash before it: this is the key, and only where pins are.
    first, *rest = _json(meaning).split(_PINS)
    digest.update(first)
    for registry, text in zip(filter(_has_pins, policy.registries), rest, strict=True):
        digest.update(_PINS.removesuffix(b"]"))
        for part in _pins_meaning(registry):
            digest.update(part)
        digest.update(b"]" + text)
    return f"sha256:{digest.hexdigest()}"


def _json(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")


def _has_pins(policy: RegistryPolicy) -> bool:
    return policy.enabled and bool(policy.artifact_allowlist)


def _pins_meaning(policy: RegistryPolicy) -> Iterator[bytes]:
    """Yield the JSON of the pins in parts: one call for all of them would let no thread go on."""
    pins = policy.artifact_allowlist
    for start in range(0, len(pins), _PART):
        said = [pin.meaning for pin in pins[start : start + _PART]]
        yield (b"," if start else b"") + _json(said)[1:-1]


def _rule_meaning(rule: Rule) -> list[object]:
    return [rule.kind, rule.value, rule.ports, rule.inspect, rule.ech_allowed]


def _registry_meaning(policy: RegistryPolicy) -> dict[str, object]:
    if not policy.lockfile.enabled:
        policy = dataclasses.replace(policy, lockfile=LockfilePolicy())
    fields = dataclasses.asdict(dataclasses.replace(policy, artifact_allowlist=(), unpinned=()))
    del fields["artifact_allowlist"], fields["unpinned"]
    return {**fields, "pins": []} if policy.artifact_allowlist else fields


def _secret_meaning(secret: SecretBinding) -> dict[str, object]:
    fields = dataclasses.asdict(secret)
    del fields["place"]
    if secret.kind == "static":  # what was said before there were kinds keeps its hash
        del fields["kind"], fields["oauth2"]
    if secret.git is None:
        del fields["git"]
    return fields
