import pytest

from cleanroom.policy.capabilities import ALWAYS, needs
from cleanroom.policy.demands import Capability
from tests.policy.reading import compiled

BASE = (*ALWAYS, Capability.ISOLATION_NAMESPACES)


def needed(text: str) -> dict[Capability, str]:
    policy = compiled(f"version: 1\n{text}")
    return needs(policy.network, policy.registries, policy.secrets, policy.sandbox)


def test_every_policy_needs_the_network_enforced_and_audited() -> None:
    assert tuple(needed("")) == BASE
    assert needed("")[Capability.NETWORK_DEFAULT_DENY] == "every policy"


ASKED = {
    "registries: {npm: {enable: true, allowed_hosts: [a.example]}}": (
        Capability.REGISTRY_ENFORCEMENT,
        "registries.npm.enable: true",
    ),
    "registries: {go: {enable: true, allowed_hosts: [a.example]}}": (
        Capability.REGISTRY_ENFORCEMENT,
        "registries.go.enable: true",
    ),
    "registries: {git: {enable: true, allowed_hosts: [a.example]}}": (
        Capability.REGISTRY_ENFORCEMENT,
        "registries.git.enable: true",
    ),
    "registries: {npm: {enable: true, allowed_hosts: [a.example], cache_ref: b}}": (
        Capability.NAMED_CACHE,
        "registries.npm.cache_ref: b",
    ),
    "secrets: [{id: a, env: A, allowed_hosts: [a.example]}]": (
        Capability.SECRET_ISOLATION,
        "secrets",
    ),
    "sandbox: {network: {allow: [{host: a.example, inspect: true}]}}": (
        Capability.TLS_INSPECTION,
        "inspect: true of a.example:80,443",
    ),
    "sandbox: {image: a}": (Capability.CUSTOM_IMAGE, "sandbox.image"),
    "sandbox: {mise: {enabled: true}}": (
        Capability.MISE_BOOTSTRAP,
        "sandbox.mise.enabled: true",
    ),
    "sandbox: {resources: {memory: 1GiB}}": (Capability.LIMIT_MEMORY, "sandbox.resources.memory"),
    "sandbox: {resources: {pids: 99}}": (Capability.LIMIT_PIDS, "sandbox.resources.pids"),
    "sandbox: {resources: {cpus: 1}}": (Capability.LIMIT_CPU, "sandbox.resources.cpus"),
    "sandbox: {resources: {disk: 1GiB}}": (Capability.LIMIT_DISK, "sandbox.resources.disk"),
    "sandbox: {resources: {open_files: 99}}": (
        Capability.LIMIT_OPEN_FILES,
        "sandbox.resources.open_files",
    ),
    "sandbox: {resources: {output: 1MiB}}": (Capability.LIMIT_OUTPUT, "sandbox.resources.output"),
}


@pytest.mark.parametrize("text", ASKED)
def test_what_a_policy_asks_for_must_be_proven_and_the_word_is_named(text: str) -> None:
    capability, because = ASKED[text]
    more = {Capability.REGISTRY_ENFORCEMENT: "registries.npm.enable: true"}
    others = more if capability is Capability.NAMED_CACHE else {}
    assert needed(text) == needed("") | {capability: because} | others
    assert capability in compiled(f"version: 1\n{text}").required_capabilities


@pytest.mark.parametrize("level", ["namespaces", "gvisor", "vm"])
def test_the_isolation_level_is_needed_as_written(level: str) -> None:
    wanted = Capability(f"isolation_{level}")
    assert tuple(needed(f"sandbox: {{isolation: {level}}}")) == (*ALWAYS, wanted)


@pytest.mark.parametrize(
    "text",
    [
        "registries: {npm: {enable: false}}",
        "sandbox: {mise: {enabled: false}}",
        "sandbox: {mise: }",
    ],
)
def test_what_is_switched_off_needs_nothing(text: str) -> None:
    assert tuple(needed(text)) == BASE


def test_a_secret_for_a_registrys_host_needs_nothing_of_its_own() -> None:
    registry = "registries: {npm: {enable: true, allowed_hosts: [b.example, a.example]}}\n"
    binding = "secrets: [{id: token, env: A, allowed_hosts: [a.example, c.example]}]\n"
    assert set(needed(registry + binding)) == {*needed(registry), *needed(binding)}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("lockfile_enforcement: {enabled: true, lockfiles: [a]}", ""),
        ("lockfile_enforcement: {enabled: true, mode: warn, lockfiles: [a]}", ""),
        ("cooldown: 7d", "cooldown"),
        ("exceptions: [{purl: 'pkg:github/a/b', expires: 2027-01-01, reason: r}]", ""),
        ("lockfile_enforcement: {enabled: true, mode: off}", ""),
        ("lockfile_enforcement: {mode: warn}, read_only: false, fallback: direct", ""),
    ],
)
def test_what_git_cannot_be_held_to_is_named(words: str, named: str) -> None:
    text = f"registries: {{git: {{enable: true, allowed_hosts: [a.example], {words}}}}}"
    found = needed(text).get(Capability.REGISTRY_GIT, "")
    assert found == (f"registries.git.{named}" if named else "")
