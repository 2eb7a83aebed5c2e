"""What is said of a daemon that no longer is what its person has."""

import os

import pytest

from cleanroom import __version__
from cleanroom.client.blocking import Connection
from cleanroom.client.connect import Caller, connect
from cleanroom.client.replace import outdated, remedy, retire
from cleanroom.client.reply import Reply
from cleanroom.errors import Fault
from tests.client.scripted import HEALTH, Answer, Script, scripted
from tests.conftest import Home


def test_a_version_and_settings_can_be_outdated() -> None:
    assert outdated(Reply(HEALTH)) == ""
    assert outdated(Reply({**HEALTH, "version": "0.0"})) == f"is version 0.0, this is {__version__}"
    changed = Reply({**HEALTH, "changed": "/c.yaml"})
    assert outdated(changed) == "began before /c.yaml was changed"


def test_what_a_person_can_do_depends_on_who_started_it_and_what_lives() -> None:
    assert "where it was started" in remedy(Reply(HEALTH), 7)
    assert remedy(Reply({"on_demand": True}), 7) == "`kill 7` ends it"
    assert "kill" not in remedy(Reply({"on_demand": True}), 0)  # that would end the caller
    assert remedy(Reply({"on_demand": True, "sandboxes": 1}), 7).startswith("a sandbox lives there")
    many = remedy(Reply({"on_demand": True, "sandboxes": 3}), 7)
    assert many.startswith("3 sandboxes live there: once ended (`cleanroom stop --all`), the next")


def test_one_that_agrees_and_does_not_end_is_a_fault(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.client.replace.END_TIMEOUT_S", 0.05)
    opened: list[int] = []
    pidfd_open = os.pidfd_open

    def noting(pid: int) -> int:
        opened.append(pidfd_open(pid))
        return opened[-1]

    monkeypatch.setattr(os, "pidfd_open", noting)
    with scripted(home.runtime, Script({"POST /v1/retire": Answer(HEALTH)})) as daemon:
        path = daemon.url.removeprefix("unix://")
        with pytest.raises(Fault, match="it did not end in"):
            retire(Connection.open(path))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_one_that_has_ended_by_itself_is_no_fault(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Connection) -> int:
        raise ProcessLookupError

    monkeypatch.setattr(Connection, "peer_pid", gone)
    with scripted(home.runtime) as daemon:
        retire(Connection.open(daemon.url.removeprefix("unix://")))


def test_one_of_another_pid_namespace_is_left_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "peer_pid", lambda _: 0)
    said: list[str] = []
    health = {**HEALTH, "version": "0.0", "idle": True, "on_demand": True}
    folder = home.runtime / "cleanroom"
    folder.mkdir()
    with scripted(folder, Script({"GET /v1/health": Answer(health)})) as daemon:
        daemon.path.rename(folder / "cleanroom.sock")
        connect(Caller(None, autostart=True, environ=home.environment, say=said.append)).close()
        (folder / "cleanroom.sock").rename(daemon.path)
    assert said[0].startswith("cleanroom: the daemon is version 0.0, this is ")
    assert "end it where it was started" in said[0]
