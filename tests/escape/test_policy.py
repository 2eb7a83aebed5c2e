"""A repository and a command that try to change what they are allowed: nothing inside counts."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"
WIDER = NOTHING + "    allow:\n      - host: wider.example\n"

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose policy allows nothing."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    with someone.serving():
        yield someone


def test_a_policy_written_inside_counts_neither_now_nor_later(person: Person) -> None:
    ask = "getent hosts wider.example >/dev/null && echo reached || echo refused"
    write = f"printf '%s' '{WIDER}' > cleanroom.yaml"
    done = person.types("exec", "--sandbox", "dev", "--", f"{write}; {ask}")
    assert done.stdout == "refused\n"
    assert person.types("exec", "--sandbox", "dev", "--", ask).stdout == "refused\n"
    assert (person.work / "cleanroom.yaml").read_text() == NOTHING
    hash_before = person.last_run()["policy_hash"]
    person.policy(WIDER)  # the control: the same words on the host do count
    assert "reached" in person.types("exec", "--", ask).stdout
    assert person.last_run()["policy_hash"] != hash_before


def test_hooks_and_settings_of_git_written_inside_stay_inside(person: Person) -> None:
    before = sorted(path.name for path in (person.work / ".git" / "hooks").iterdir())
    config = (person.work / ".git" / "config").read_bytes()
    done = person.types(
        "exec", "--",
        "printf '#!/bin/sh\\ntouch /tmp/owned\\n' > .git/hooks/post-checkout &&"
        " chmod +x .git/hooks/post-checkout && git config core.fsmonitor ./evil && echo written",
    )  # fmt: skip
    assert done.stdout == "written\n"
    assert person.types("apply").returncode in (0, 1)
    assert sorted(path.name for path in (person.work / ".git" / "hooks").iterdir()) == before
    assert (person.work / ".git" / "config").read_bytes() == config


def test_nothing_applied_leads_out_of_the_workspace(person: Person) -> None:
    victim = person.work.parent / "victim"
    victim.write_text("untouched")
    program = (
        "ln -s ../victim link; mkdir d; ln -s / d/root; echo good > good;"
        " cp /bin/true s 2>/dev/null; chmod 4755 s; mkfifo pipe"
    )
    assert person.types("exec", "--", program).returncode == 0
    person.types("apply")
    assert victim.read_text() == "untouched"
    assert not (person.work / "d" / "root").exists()
    assert not (person.work / "pipe").exists()
    copied = person.work / "s"
    if copied.exists():
        assert not copied.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    assert (person.work / "good").read_text() == "good\n", person.types("apply").stderr


def test_a_file_changed_on_the_host_since_is_a_conflict(person: Person) -> None:
    file = person.work / "file"
    file.write_text("one\n")
    assert person.types("exec", "--", "echo two > file").returncode == 0
    file.write_text("three, on the host\n")
    assert person.types("apply").returncode != 0
    assert file.read_text() == "three, on the host\n"


def test_credentials_of_the_repository_are_not_inside_and_that_is_said(person: Person) -> None:
    (person.work / ".env").write_text("TOKEN=secret\n")
    git = '[remote "o"]\n\turl = https://user:secret@code.example/x.git\n'
    with (person.work / ".git" / "config").open("a") as config:
        config.write(git)
    done = person.types("exec", "--", "cat .env; grep -r secret . ; git remote -v; echo end")
    assert "secret" not in done.stdout
    assert done.stdout.endswith("end\n")
    assert ".env" in done.stderr


def test_the_callers_own_secrets_are_not_inside(person: Person) -> None:
    person.environment["API_TOKEN"] = "do-not-leak"  # noqa: S105 -- the test's own word
    done = person.types("exec", "--", "env; cat /proc/self/environ /proc/1/environ 2>/dev/null")
    assert "PATH=" in done.stdout
    assert "do-not-leak" not in done.stdout


def test_the_control_socket_is_private_and_not_inside(person: Person) -> None:
    assert stat.S_IMODE(person.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(person.socket.parent.stat().st_mode) == 0o700
    assert person.socket.stat().st_uid == os.geteuid()
    done = person.types(
        "exec", "--", f"ls {person.socket} {person.state} 2>/dev/null || echo invisible"
    )
    assert done.stdout == "invisible\n"


def test_a_second_daemon_on_the_same_socket_refuses(person: Person) -> None:
    done = person.types("serve", "--listen", f"unix://{person.socket}")
    assert done.returncode not in (0, None)
    assert person.types("exec", "--", "echo first").stdout == "first\n"


def test_the_result_file_tells_what_an_exit_code_cannot(person: Person, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    words = ("exec", "--result-file", str(result), "--", "getent hosts denied.example; exit 125")
    assert person.types(*words).returncode == 125
    told = json.loads(result.read_text())
    assert told["exit_code"] == 125
    assert told["denied"][0]["name"] == "denied.example"
