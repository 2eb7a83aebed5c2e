"""Every command line and policy that the project was asked for, on a real daemon and sandbox.

Hosts are replaced by names under .example. What waits for later work is listed in LATER by name,
and must be refused clearly, never accepted and ignored.
"""

import json
import shlex
import signal
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
# Command lines that wait for later work, with how each is refused.
LATER = {
    'exec --backend sprites -- "pytest -q"': (125, "backend_unavailable"),
}
TIMINGS = (
    "policy_resolution",
    "rootfs",
    "runtime_start",
    "workspace",
    "network_setup",
    "ready",
    "agent_wait",
    "command",
    "network_cleanup",
    "total",
)


@pytest.fixture
def someone(home: Home, programs: Path) -> Person:
    """A person with the repository of the mission, and no daemon yet."""
    assert programs.is_dir()
    made = Person(home)
    made.policy(POLICY.format(registries=""))
    scripts = {"test": "echo tested", "watch": "echo watching"}
    (made.work / "package.json").write_text(json.dumps({"scripts": scripts}))
    return made


@pytest.fixture
def person(someone: Person) -> Iterator[Person]:
    """A person whose daemon is `cleanroom serve --listen unix://...`."""
    with someone.serving():
        yield someone


def test_a_policy_is_validated_and_its_plan_printed(person: Person) -> None:
    done = person.types("policy", "validate")
    assert done.returncode == 0
    for said in ("allow api.code.example:443", "deny everything else"):
        assert said in done.stdout
    done = person.types("policy", "validate", "--json")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert (plan["version"], plan["valid"], plan["runnable"]) == (1, True, True)
    assert "npm.registry.example" in done.stdout


@pytest.mark.parametrize("line", ['exec -- "npm test"', 'exec "npm test"'])
def test_one_argument_goes_to_the_shell_with_and_without_the_separator(
    person: Person, line: str
) -> None:
    done = person.types(*shlex.split(line))
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


def test_a_watcher_runs_detached(person: Person) -> None:
    started = person.types("exec", "-d", "--", "npm run watch")
    assert started.returncode == 0, started.stderr
    ids = started.stdout.split()
    assert person.types("wait", *ids).returncode == 0
    assert "watching" in person.types("logs", *ids).stdout


def test_a_terminal_inside_needs_one_outside(person: Person) -> None:
    """With one: tests/flow/test_terminal.py and its neighbours."""
    done = person.types("exec", "-it", "--", "bash")
    assert done.returncode == 2
    assert "terminal" in done.stderr


@pytest.mark.parametrize("line", LATER)
def test_what_waits_is_refused_by_name(person: Person, line: str) -> None:
    status, code = LATER[line]
    done = person.types(*shlex.split(line))
    assert (done.returncode, code in done.stderr) == (status, True), done.stderr
    assert json.loads(person.types("sandboxes", "list", "--json").stdout)["sandboxes"] == []


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
    for kind in ("sandbox.ready", "stopped"):
        assert kind in events.stdout


def test_status_prints_every_timing_of_a_run(person: Person) -> None:
    assert person.types("exec", "--", "true").returncode == 0
    run = person.last_run()
    done = person.types("status", "--run-id", run["id"])
    assert done.returncode == 0, done.stderr
    for word in TIMINGS:
        assert f"{word}_ms" in done.stdout


def test_doctor_lists_the_firecracker_items(person: Person) -> None:
    done = person.types("doctor")
    assert done.returncode == 0, done.stdout
    for item in ("ip", "iptables", "sysctl", "sudo", "sudo -n", "KVM"):
        assert f" {item} " in done.stdout


def write_lockfile(person: Person) -> None:
    """Give the repository the lock file that its policy names."""
    lockfile = Path(__file__).parent.parent / "examples" / "node" / "package-lock.json"
    (person.work / "package-lock.json").write_bytes(lockfile.read_bytes())


def test_registries_are_explained_and_run(person: Person) -> None:
    person.policy(POLICY.format(registries=REGISTRIES))
    assert "none of them exists: package-lock.json" in person.types("policy", "validate").stderr
    write_lockfile(person)
    told = person.types("policy", "validate")
    assert told.returncode == 0, told.stderr
    assert "registry npm: enabled, deny_unknown, " in told.stdout
    assert "yarn.lock does not exist and pins nothing" in told.stderr
    done = person.types("exec", "--", "npm test")
    assert done.returncode == 0, done.stderr
    assert "tested" in done.stdout


def test_what_git_cannot_be_held_to_is_explained_and_refused_by_name(person: Person) -> None:
    """Lock files hold git as they hold packages; a cooldown does not."""
    write_lockfile(person)
    git = REGISTRIES.replace("npm", "git", 1)
    person.policy(POLICY.format(registries=git))
    told = person.types("policy", "validate")
    assert told.returncode == 0, told.stderr
    assert "registry git: enabled, deny_unknown" in told.stdout
    person.policy(POLICY.format(registries=git.replace("enable:", "cooldown: 7d\n    enable:", 1)))
    told = person.types("policy", "validate")
    assert (told.returncode, "not enforced yet" in told.stderr) == (1, True), told.stderr
    done = person.types("exec", "--", "npm test")
    assert done.returncode == 125
    assert "backend_capability_mismatch" in done.stderr
    assert "registries.git.cooldown" in done.stderr


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('exec --backend local -- "mise exec npm test"', "mise exec -- npm test"),
        ('exec -- "mise exec node --version"', "mise exec -- node --version"),
    ],
)
def test_mise_gets_what_was_typed_and_the_working_form_is_said(
    someone: Person, mise_program: Path, line: str, form: str
) -> None:
    someone.environment["CLEANROOM_MISE_PROGRAM"] = str(mise_program)
    someone.policy(MISE)
    (someone.work / ".mise.toml").write_text('[env]\nGREETING = "hello"\n')
    with someone.serving():
        done = someone.types(*shlex.split(line))
        assert (done.returncode, f'"{form}"' in done.stderr) == (2, True), done.stderr
        assert "unexpected argument" in done.stderr or "required arguments" in done.stderr
        worked = someone.types("exec", "--", f"{form}; echo $GREETING")
        assert worked.stdout.endswith("hello\n"), worked.stderr
        assert "wants its own --" not in worked.stderr


def test_the_root_file_wins_with_a_warning(person: Person) -> None:
    fallback = person.work / ".buildkite"
    fallback.mkdir()
    (fallback / "cleanroom.yaml").write_text("version: 1\n")
    done = person.types("exec", "--", "true")
    assert done.returncode == 0
    assert ".buildkite/cleanroom.yaml" in done.stderr


def test_a_named_sandbox_is_used_again(person: Person) -> None:
    words = ("exec", "--sandbox", "dev", "--reuse", "--", "npm test")
    (person.work / "package.json").write_text('{"scripts": {"test": "echo tested >> log"}}')
    for _ in range(2):
        done = person.types(*words)
        assert done.returncode == 0, done.stderr
    assert person.types("exec", "--sandbox", "dev", "cat log").stdout == "tested\ntested\n"
    assert person.types("sandboxes", "stop", "dev").returncode == 0


def test_the_server_listens_where_it_is_told_and_ends_cleanly(home: Home, someone: Person) -> None:
    log = home.home / "daemon.log"
    with log.open("w") as stderr:
        server = someone.serve(stderr)
        assert someone.socket.stat().st_mode & 0o777 == 0o600
        second = someone.types("serve", "--listen", f"unix://{someone.socket}")
        assert second.returncode != 0
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert "Traceback" not in log.read_text()
    assert not someone.socket.exists()
