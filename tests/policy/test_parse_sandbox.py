import pytest

from cleanroom.policy.demands import Limits
from cleanroom.policy.model import SandboxPolicy
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, said_of


def sandbox_of(section: str) -> SandboxPolicy:
    return parse_policy(f"version: 1\nsandbox: {section}", PATH).sandbox.rest


def test_a_sandbox_has_its_documented_defaults() -> None:
    assert sandbox_of("{}") == SandboxPolicy()
    assert sandbox_of("{}").ttl_s == 1800


def test_limits_are_bytes_and_counts() -> None:
    asked = "{memory: 2GiB, pids: 512, cpus: 1.5, disk: 10GiB, open_files: 4096, output: 64MiB}"
    assert sandbox_of(f"{{resources: {asked}}}").limits == Limits(
        memory_bytes=2 << 30,
        pids=512,
        cpus=1.5,
        disk_bytes=10 << 30,
        open_files=4096,
        output_bytes=64 << 20,
    )


def test_isolation_image_and_life_are_read() -> None:
    policy = sandbox_of("{ttl_minutes: 5, isolation: vm, image: registry.example/a/b:1}")
    assert (policy.ttl_s, policy.isolation, policy.image) == (300, "vm", "registry.example/a/b:1")


WRONG = {
    "{ttl_minutes: 0}": "ttl_minutes: it is a whole number from 1 to 43200",
    "{isolation: container}": "isolation: it is namespaces, gvisor or vm",
    "{image: '-x'}": "image: it is an image reference",
    "{resources: {memory: 2G}}": "memory: it is a size like 512MiB or 2GiB",
    "{resources: {memory: 1MiB}}": "memory: it is out of range",
    "{resources: {swap: 1GiB}}": "cannot use key 'swap' in sandbox.resources: it is unknown",
    "{mise: {config_files: []}}": "cannot use 0 entries",
    "{mise: {config_files: [/etc/passwd]}}": "it is a path inside the repository",
    "{mise: {config_files: [../a]}}": "it is a path inside the repository",
    "{mise: {config_files: [a/../b]}}": "it is a path inside the repository",
    "{mise: {config_files: [a/..]}}": "it is a path inside the repository",
    "{mise: {config_files: [./a]}}": "it is a path inside the repository",
    "{mise: {config_files: [a//b]}}": "it is a path inside the repository",
    "{mise: {config_files: [a/]}}": "it is a path inside the repository",
    "{mise: {config_files: ['packages/*/mise.toml']}}": "without globs",
    "{mise: {config_files: ['a:b']}}": "without globs",
    "{mise: {config_files: ['a\\b']}}": "it is a path inside the repository",
}


@pytest.mark.parametrize("section", WRONG)
def test_a_wrong_sandbox_is_refused(section: str) -> None:
    [said] = said_of(f"version: 1\nsandbox: {section}")
    assert WRONG[section] in said


def test_paths_may_have_dots() -> None:
    paths = ".mise.toml, packages/a/mise.toml, 'b/..a', a/...b"
    assert len(sandbox_of(f"{{mise: {{config_files: [{paths}]}}}}").mise.config_files) == 4
