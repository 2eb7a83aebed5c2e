"""`cleanroom doctor` as a whole, with a backend that says what the test needs."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.backends.base import Door, Probe, Sandbox
from cleanroom.daemon.backends import Backends
from cleanroom.daemon.doctor import examine, main, this_machine
from cleanroom.daemon.doctor_fix import Machine
from cleanroom.errors import Code, Refused
from cleanroom.policy.demands import Capability
from cleanroom.sandbox.spec import SandboxSpec

HEALTHY = Machine(bubblewrap="/usr/bin/bwrap", launcher="/opt/launch", restricted=False)


class ProbeOnly:
    """A backend that answers its probe, or raises it, and can do nothing else."""

    name = "local"

    def __init__(self, answer: Probe | Refused) -> None:
        self._answer = answer

    async def probe(self) -> Probe:
        if isinstance(self._answer, Refused):
            raise self._answer
        return self._answer

    async def start(self, spec: SandboxSpec, door: Door) -> Sandbox:
        raise AssertionError(spec, door)

    async def reclaim(self, sandbox_id: str) -> None:
        raise AssertionError(sandbox_id)


def backend(answer: Probe | Refused) -> Backends:
    return Backends({"local": ProbeOnly(answer)}, lambda: "")


def test_doctor_says_all_that_a_daemon_here_would_hold(programs: Path) -> None:
    assert programs.is_dir()
    argv = [sys.executable, "-m", "cleanroom.daemon.doctor", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    (local,) = json.loads(done.stdout)["backends"]
    assert {"registry_enforcement", "limit_output", "mise_bootstrap"} <= set(local["capabilities"])


def test_nobody_needs_to_read_it_to_its_end(programs: Path) -> None:
    assert programs.is_dir()
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "cleanroom.daemon.doctor"]
    done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_what_a_backend_proved_is_in_the_report() -> None:
    probe = Probe(ready=True, runtime="bubblewrap 0.12.0", capabilities=frozenset())
    report = asyncio.run(examine(backend(probe), HEALTHY))
    assert report.ready
    own = {Capability.LIMIT_OUTPUT, Capability.MISE_BOOTSTRAP}  # by the daemon, for every backend
    assert report.backends == (("local", replace(probe, capabilities=frozenset(own))),)
    assert report.repairs == ()


def test_a_probe_that_fails_is_a_backend_that_is_not_ready() -> None:
    refusal = Refused(Code.BACKEND_UNAVAILABLE, "cannot make a user namespace", "run: repair")
    report = asyncio.run(examine(backend(refusal), HEALTHY))
    assert not report.ready
    [(_, probe)] = report.backends
    assert probe.missing == {"probe": "cannot make a user namespace (run: repair)"}


def test_a_broken_machine_shows_its_repairs_without_doing_them() -> None:
    probe = Probe(ready=False, runtime="", capabilities=frozenset())
    broken = Machine(bubblewrap="", launcher="/opt/launch", restricted=False)
    report = asyncio.run(examine(backend(probe), broken))
    assert [repair.title for repair in report.repairs] == ["install bubblewrap"]
    assert not report.repairs[0].done


def test_this_machine_is_described_by_absolute_paths() -> None:
    machine = this_machine()
    assert machine.launcher.endswith("/cleanroom/bin/cleanroom-launch")
    assert machine.bubblewrap.startswith("/")


@pytest.mark.parametrize("backend", ["sprites", "docker", "kubernetes"])
def test_a_backend_of_a_later_version_is_not_ready(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--backend", backend]) == 1
    assert f"cannot use {backend}" in capsys.readouterr().err


def test_the_command_works_without_a_daemon() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cleanroom.daemon.doctor", "--json"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert [backend["name"] for backend in document["backends"]] == ["local"]
    assert done.returncode == (0 if document["ready"] else 1)
    assert document["ready"], "this machine runs sandboxes, so doctor must find a ready runtime"


def test_a_wrong_option_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cleanroom.daemon.doctor", "--wrong"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2


def test_both_forms_say_the_same_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"]
    assert main([]) == 0
    assert "local: ready (bubblewrap" in capsys.readouterr().out


def test_a_healthy_machine_needs_no_repair_and_gets_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--fix", "--backend", "local"]) == 0
    assert "repairs:" not in capsys.readouterr().out
