"""Every command line and policy of the mission, hosts substituted; what waits is listed by name."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fake_process import FakeProcess
from tests.flow.conftest import Person, Process

POLICY = """version: 1
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
      - host: registry.example
        ports: [443]
      - host: api.example
        ports: [443]

registries:
  npm:
    enable: true
    allowed_hosts:
      - registry.example
      - alias.example
    cache_ref: content-cache
    fallback: deny
    lockfile_enforcement:
      enabled: true
      mode: deny_unknown
      lockfiles:
        - package-lock.json
        - yarn.lock

metadata:
  team: platform-security
  risk_class: low
"""
MISE_POLICY = """version: 1
sandbox:
  mise:
    enabled: true
    auto_bootstrap: true
    config_files:
      - .mise.toml
      - .mise/config.toml
"""

# Words of the mission that a later version obeys; until then each is refused as a wrong line.
LATER = {
    "exec -it -- bash": "a terminal inside",
    'exec -d -- "npm run watch"': "detached runs",
    'exec --sandbox dev --reuse -- "npm test"': "a named sandbox used again on demand",
}
NOW = (
    'exec -- "npm test"',
    'exec -- "npm install && npm test"',
    "exec -- \"agent-tool execute 'resolve docs updates and open PR branch'\"",
    'exec --backend local -- "mise exec npm test"',
    'exec "npm test"',
    'exec -- "mise exec node --version"',
)


def words_of(line: str) -> list[str]:
    """Split a command line as a shell does: quotes only."""
    return [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', line)]


async def _succeed(process: FakeProcess) -> int:
    await process.say(" ".join(process.command.argv).encode() + b"\n")
    return 0


@pytest.mark.parametrize("line", NOW)
def test_the_command_lines_run(person: Person, line: str) -> None:
    for tool in ("npm", "mise", "agent-tool"):
        person.setting.backend.programs[tool] = _succeed
    done = person.types(*words_of(line))
    assert (done.status, done.out) == (0, words_of(line)[-1] + "\n")


@pytest.mark.parametrize("line", LATER)
def test_what_waits_is_refused_not_ignored(person: Person, line: str) -> None:
    assert person.types(*words_of(line)).status == 2
    assert not person.setting.backend.sandboxes


def test_a_backend_that_is_not_there_yet_is_said(person: Person) -> None:
    done = person.types("exec", "--backend", "sprites", "--", "pytest -q")
    assert done.status == 125
    assert "backend_unavailable" in done.err


@pytest.mark.parametrize("policy", [POLICY, MISE_POLICY])
def test_its_policies_are_valid_shown_and_refused_by_name(person: Person, policy: str) -> None:
    (person.folder / "cleanroom.yaml").write_text(policy)
    report = json.loads(person.types("policy", "validate", "--json").out)
    assert report["valid"] is True
    assert report["runnable"] is False
    done = person.types("exec", "--", "true")
    assert done.status == 125
    assert "backend_capability_mismatch" in done.err
    assert not person.setting.backend.sandboxes


def test_its_plan_is_what_was_written(person: Person) -> None:
    (person.folder / "cleanroom.yaml").write_text(POLICY)
    done = person.types("policy", "validate")
    assert done.status == 1
    for said in ("allow api.example:443", "deny everything else", "registry npm: enabled"):
        assert said in done.out
    assert "registry_enforcement" in done.err


def test_watching_and_inspecting(person: Person) -> None:
    person.types("exec", "--sandbox", "dev", "--keep", "true")
    run = json.loads(person.types("status", "--json").out)
    assert "dev" in person.types("sandboxes", "list").out
    got = person.types("executions", "get", run["sandbox_id"], run["execution_id"])
    assert "succeeded" in got.out
    with person.start("sandboxes", "events", run["sandbox_id"], "--follow") as following:
        person.types("sandboxes", "stop", "dev")
        out, _ = following.communicate(timeout=20)
    assert b"sandbox.ready" in out
    timings = person.types("status", "--run-id", run["id"]).out
    for name in ("policy", "rootfs", "runtime_start", "workspace", "network_setup", "ready"):
        assert name in timings
    for name in ("agent_wait", "command", "network_cleanup", "total"):
        assert name in timings


def test_the_server_listens_where_it_is_told_and_ends_cleanly(person: Person) -> None:
    runtime = person.environment["XDG_RUNTIME_DIR"]
    url = f"unix://{runtime}/cleanroom/cleanroom.sock"
    environment = {name: value for name, value in person.environment.items() if "HOST" not in name}
    command = [*person.program, "serve", "--listen", url]
    with Process(command, env=environment, cwd=person.folder, stderr=subprocess.PIPE) as server:
        person.environment.pop("CLEANROOM_HOST")
        while "not running" in (said := person.types("version").out):
            assert server.poll() is None
        assert "daemon 0." in said
        socket = Path(f"{runtime}/cleanroom/cleanroom.sock")
        assert socket.stat().st_mode & 0o777 == 0o600
        second = person.types("serve", "--listen", url)
        assert second.status != 0
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert server.stderr
        assert b"Traceback" not in server.stderr.read()
    assert not socket.exists()


def test_doctor_lists_what_a_host_needs(person: Person) -> None:
    out = person.types("doctor").out
    for item in ("ip", "iptables", "sysctl", "sudo"):
        assert re.search(rf"\b{item}\b", out), item
