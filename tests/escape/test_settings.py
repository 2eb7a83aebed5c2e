"""Changed settings: nothing that lives is held to others than those it began with."""

import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

pytestmark = [pytest.mark.escape, pytest.mark.slow]


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose commands start their daemon by themselves."""
    assert programs.is_dir()
    someone = Person(home)
    del someone.environment["CLEANROOM_HOST"]
    yield someone
    process = os.pidfd_open(daemon_of(someone))
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        assert select.select([process], [], [], 60)[0]
    finally:
        os.close(process)


def daemon_of(person: Person) -> int:
    """Return the daemon's pid."""
    return int(json.loads(person.types("version", "--json").stdout)["pid"])


def sandboxes_allowed(person: Person) -> str:
    """Return what the daemon's settings say."""
    shown = json.loads(person.types("config", "show", "--json").stdout)
    values = {each["key"]: each["value"] for each in shown["values"]}
    return str(values["limits.sandboxes"])


def test_a_daemon_takes_changed_settings_once_nothing_lives(person: Person, home: Home) -> None:
    file = home.config / "cleanroom" / "config.yaml"
    file.parent.mkdir()
    file.write_text("approvals: notice\n")
    begun = person.types("exec", "-d", "--", "sleep", "600", within_s=60)
    assert begun.returncode == 0, begun.stderr
    before = daemon_of(person)

    file.write_text("approvals: notice\nlimits:\n  sandboxes: 3\n")
    beside = person.types("exec", "--", "true", within_s=60)
    assert beside.returncode == 0, beside.stderr
    assert f"the daemon (pid {before}) began before {file} was changed" in beside.stderr
    assert "a sandbox lives there: once ended (`cleanroom stop --all`)" in beside.stderr
    assert (daemon_of(person), sandboxes_allowed(person)) == (before, "64")
    assert f"before {file} was changed" in person.types("version").stdout

    stopped = person.types("stop", "--all", within_s=60)
    assert stopped.stdout.endswith(" stopped\n"), stopped.stderr
    anew = person.types("exec", "--", "true", within_s=60)
    assert anew.returncode == 0, anew.stderr
    after = daemon_of(person)
    assert after != before
    assert f"started a daemon (pid {after}), as the last one began before {file}" in anew.stderr
    assert sandboxes_allowed(person) == "3"
    assert "daemon" not in person.types("exec", "--", "true", within_s=60).stderr
