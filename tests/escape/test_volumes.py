"""Volumes in real sandboxes: what stays, who has it, how much it may hold."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose policy allows nothing, and whose volumes hold four mebibytes."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    someone.environment["CLEANROOM_LIMITS_VOLUME"] = "4MiB"
    with someone.serving():
        yield someone


def prints(person: Person, *words: str) -> str:
    done = person.types("exec", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_home_outlives_its_sandbox(person: Person) -> None:
    flag = "home:/home/cleanroom"
    prints(person, "--volume", flag, "--", "mkdir ~/.cache; echo ls > ~/.history; ln -s /etc ~/e")
    assert (
        prints(person, "--volume", flag, "--", "cat ~/.history; echo pwd >> ~/.history") == "ls\n"
    )
    assert prints(person, "--volume", "home:/data", "--", "cat /data/.history") == "ls\npwd\n"
    assert prints(person, "--", "ls -A ~") == ""
    listed = person.types("volumes", "list").stdout
    assert "home" in listed
    assert str(person.work) in listed


def test_two_volumes_of_two_sandboxes_are_both_one_others(person: Person) -> None:
    """As root each sandbox has a user of its own: both volumes must be given to the third."""
    with_a, with_b = ("--volume", "a:/a"), ("--volume", "b:/b")
    kept = ("--sandbox", "dev", *with_a, "--", "mkdir -p /a/in; echo a > /a/in/file")
    prints(person, *kept)
    prints(person, *with_b, "--", "mkdir -p /b/in; echo b > /b/in/file")
    person.types("sandboxes", "stop", "dev")
    script = "echo more >> /a/in/file; echo more >> /b/in/file; cat /a/in/file /b/in/file"
    assert prints(person, *with_a, *with_b, "--", script) == "a\nmore\nb\nmore\n"


def test_one_sandbox_has_it_at_a_time_and_no_other_workspace(person: Person) -> None:
    flag = ("--volume", "home:/v")
    prints(person, *flag, "--sandbox", "dev", "--", "echo secret > /v/file")
    second = person.types("exec", *flag, "--", "cat /v/file")
    assert (second.returncode, second.stdout) == (125, "")
    assert "cannot use the volume 'home'" in second.stderr
    assert "cannot remove the volume" in person.types("volumes", "rm", "home").stderr
    other = person.work.parent / "other"
    other.mkdir()
    assert prints(person, "-C", str(other), *flag, "--", "ls -A /v") == ""
    person.types("sandboxes", "stop", "dev")
    assert person.types("volumes", "rm", "home").returncode == 0
    assert prints(person, *flag, "--", "ls -A /v") == ""


@pytest.mark.parametrize(
    "place",
    [
        "cd /v",
        "mkdir -m 0300 /v/closed && cd /v/closed",  # nobody may list it
        "cd /v && for i in $(seq 40); do mkdir $(printf %0200d $i) && cd -P ./0* || exit; done",
    ],
    ids=["open", "closed", "deep"],
)
def test_what_a_volume_may_hold_has_an_end(person: Person, place: str) -> None:
    fill = (
        f"{place}; for i in $(seq 200); do head -c 100000 /dev/zero > $i || exit 3; done; sleep 60"
    )
    done = person.types("exec", "--volume", "cache:/v", "--timeout", "60s", "--", fill)
    assert done.returncode == 125, done.stderr
    assert "limits.volume" in done.stderr
    removed = person.types("volumes", "rm", "cache")
    assert removed.returncode == 0, removed.stderr


def test_a_socket_in_a_volume_leads_to_no_later_sandbox(person: Person) -> None:
    flag = ("--volume", "home:/v")
    listen = "import socket; socket.socket(1).bind('/v/s')"
    prints(person, *flag, "--", "python3", "-c", listen)
    (upper,) = (person.state / "cleanroom/volumes").glob("*/upper")
    assert [entry.name for entry in os.scandir(upper)] == ["s"]
    assert prints(person, *flag, "--", "test -S /v/s && rm /v/s && echo gone") == "gone\n"
