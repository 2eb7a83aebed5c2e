"""Every command line and policy that the project was asked for, on a real daemon and sandbox.

Hosts are replaced by names under .example. What waits for later work is listed here by name, and
must be refused clearly, never accepted and ignored.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

POLICY = """\
version: 1
project:
  name: example-repo
  owner: team-platform

backends:
  default: local
  allow_overrides: true

sandbox:
  ttl_minutes: 30
  network:
    default: deny
    allow:
      - host: npm.registry.example
        ports: [443]
      - host: api.code.example
        ports: [443]
{registries}
metadata:
  team: platform-security
  risk_class: low
"""
REGISTRIES = """
registries:
  npm:
    enable: true
    allowed_hosts:
      - npm.registry.example
      - yarn.registry.example
    cache_ref: content-cache
    fallback: deny
    lockfile_enforcement:
      enabled: true
      mode: deny_unknown
      lockfiles:
        - package-lock.json
        - yarn.lock
"""
MISE = """\
version: 1
sandbox:
  mise:
    enabled: true
    auto_bootstrap: true
    config_files:
      - .mise.toml
      - .mise/config.toml
"""


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """A person whose daemon is `cleanroom serve --listen unix://...`."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(POLICY.format(registries=""))
    (someone.work / "package.json").write_text('{"scripts": {"test": "echo tested"}}')
    with someone.serving():
        yield someone


def test_a_policy_is_validated_and_its_plan_printed(person: Person) -> None:
    assert person.types("policy", "validate").returncode == 0
    done = person.types("policy", "validate", "--json")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["version"] == 1
    assert "npm.registry.example" in done.stdout


def test_one_argument_goes_to_the_shell(person: Person) -> None:
    done = person.types("exec", "--", "npm test")
    assert done.returncode == 0, done.stderr
    assert "tested" in done.stdout


def test_a_pipeline_of_package_work_runs_and_its_refusals_are_told(person: Person) -> None:
    (person.work / "package.json").write_text(
        '{"scripts": {"test": "echo tested"}, "dependencies": {"semver": "7"}}'
    )
    done = person.types("exec", "--", "npm install && npm test")
    assert done.returncode not in (0, 125), "no allowed host can be reached here"
    assert "tested" not in done.stdout


def test_an_agent_tool_runs_like_any_command(person: Person) -> None:
    tool = person.work / "agent-tool"
    tool.write_text('#!/bin/sh\necho "$1: $2"\n')
    tool.chmod(0o755)
    done = person.types(
        "exec", "--", "./agent-tool execute 'resolve docs updates and open PR branch'"
    )
    assert done.stdout == "execute: resolve docs updates and open PR branch\n"


def test_a_tool_that_is_not_there_is_127(person: Person) -> None:
    assert person.types("exec", "--", "mise exec npm test").returncode == 127
    assert person.types("exec", "--backend", "local", "--", "mise exec npm test").returncode == 127


def test_the_separator_is_optional(person: Person) -> None:
    assert "tested" in person.types("exec", "npm test").stdout


def test_a_backend_of_later_work_is_refused_by_name(person: Person) -> None:
    done = person.types("exec", "--backend", "sprites", "--", "pytest -q")
    assert done.returncode == 125
    assert "backend_unavailable" in done.stderr


def test_what_ran_can_be_looked_at(person: Person) -> None:
    done = person.types("exec", "--sandbox", "dev", "--", "echo one")
    assert done.returncode == 0, done.stderr
    assert "dev" in person.types("sandboxes", "list").stdout
    run = person.last_run()
    got = person.types("executions", "get", run["sandbox_id"], run["execution_id"])
    assert got.returncode == 0, got.stderr
    assert "succeeded" in got.stdout
    assert person.types("sandboxes", "stop", "dev").returncode == 0
    events = person.types("sandboxes", "events", run["sandbox_id"], "--follow")
    assert events.returncode == 0, events.stderr
    assert "stopped" in events.stdout


def test_status_prints_every_timing_of_a_run(person: Person) -> None:
    assert person.types("exec", "--", "true").returncode == 0
    run = person.last_run()
    done = person.types("status", "--run-id", run["id"])
    assert done.returncode == 0, done.stderr
    for word in ("policy", "rootfs", "runtime", "workspace", "network", "ready", "agent", "total"):
        assert word in done.stdout


def test_doctor_lists_the_firecracker_items(person: Person) -> None:
    done = person.types("doctor")
    assert done.returncode == 0, done.stdout
    for item in ("ip", "iptables", "sysctl", "sudo", "sudo -n", "KVM"):
        assert f" {item} " in done.stdout


def test_registries_are_explained_and_refused_until_they_are_enforced(person: Person) -> None:
    person.policy(POLICY.format(registries=REGISTRIES))
    told = person.types("policy", "validate")
    assert (told.returncode, "not enforced yet" in told.stderr) == (1, True)
    done = person.types("exec", "--", "npm test")
    assert done.returncode == 125
    assert "backend_capability_mismatch" in done.stderr
    assert "registries" in done.stderr


def test_mise_is_refused_until_it_is_bootstrapped(person: Person) -> None:
    person.policy(MISE)
    told = person.types("policy", "validate")
    assert (told.returncode, "not enforced yet" in told.stderr) == (1, True)
    done = person.types("exec", "--", "mise exec node --version")
    assert done.returncode == 125
    assert "backend_capability_mismatch" in done.stderr
    assert "mise" in done.stderr


def test_the_root_file_wins_with_a_warning(person: Person) -> None:
    fallback = person.work / ".buildkite"
    fallback.mkdir()
    (fallback / "cleanroom.yaml").write_text("version: 1\n")
    done = person.types("exec", "--", "true")
    assert done.returncode == 0
    assert ".buildkite/cleanroom.yaml" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "-it", "--", "bash"),
        ("exec", "-d", "--", "npm run watch"),
        ("exec", "--sandbox", "dev", "--reuse", "--", "npm test"),
    ],
    ids=["terminal", "detached", "reuse"],
)
def test_these_forms_wait_for_later_work_and_say_so(person: Person, words: tuple[str, ...]) -> None:
    done = person.types(*words)
    assert done.returncode == 2
    assert done.stderr
