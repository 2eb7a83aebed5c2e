"""Attacks on approval, on a real daemon and real folders: each asks or fails, none passes (P4, P5).

The control of each row is the run before it: the same policy, in its own folder, was approved.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

ONE = "version: 1\nsandbox:\n  network:\n    allow:\n      - host: one.example\n"
TWO = ONE + "      - host: two.example\n"
SECRET = "secrets:\n  - {id: gh, env: GH, allowed_hosts: [one.example%s], paths: [%s]}\n"  # noqa: S105

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose daemon asks, and who ran something under ONE."""
    assert programs.is_dir()
    someone = Person(home)
    del someone.environment["CLEANROOM_APPROVALS"]
    someone.policy(ONE)
    with someone.serving():
        done = someone.types("exec", "--", "true")
        assert done.returncode == 0
        assert "first run here, approved with hosts: one.example:80,443" in done.stderr
        assert someone.types("exec", "--", "true").stderr == ""
        yield someone


def refused(person: Person) -> str:
    """Run something; return why it was refused."""
    done = person.types("exec", "--", "echo", "ran")
    assert done.returncode == 125, done.stderr
    assert done.stdout == ""
    assert "approval_required" in done.stderr
    return done.stderr


def next_tick() -> None:
    """Wait until the clock of file systems moved: births are told in its ticks."""
    coarse = 5  # CLOCK_REALTIME_COARSE
    tick = time.clock_gettime(coarse)
    while time.clock_gettime(coarse) == tick:
        time.sleep(0.001)


def add_a_host(person: Person) -> None:
    person.policy(TWO)


def recreate(person: Person) -> None:
    git = person.work.parent / "kept.git"
    (person.work / ".git").rename(git)
    shutil.rmtree(person.work)
    next_tick()
    person.work.mkdir()
    git.rename(person.work / ".git")
    person.policy(ONE)


def rename(person: Person) -> None:
    person.work = person.work.rename(person.work.parent / "elsewhere")


def swap(person: Person) -> None:
    other = person.work.parent / "other"
    shutil.copytree(person.work, other)
    person.work.rename(person.work.parent / "aside")
    other.rename(person.work)


def link_to_another(person: Person) -> None:
    """Where the folder was, a link leads to one that was approved for more."""
    wide = person.work.parent / "wide"
    shutil.copytree(person.work, wide)
    place, person.work = person.work, wide
    assert person.types("exec", "--", "true").returncode == 0
    shutil.rmtree(place)
    place.symlink_to(wide)
    person.work = place
    person.policy(TWO)


def use_the_fallback(person: Person) -> None:
    """The policy goes, and the file that counts without it says more."""
    (person.work / "cleanroom.yaml").unlink()
    (person.work / ".buildkite").mkdir()
    (person.work / ".buildkite" / "cleanroom.yaml").write_text(TWO)


def take_it_away_for_a_run(person: Person) -> None:
    """A run without a policy reaches less, and is what ran last; by another name it is none."""
    (person.work / "cleanroom.yaml").rename(person.work / "Cleanroom.yaml")
    assert "no cleanroom.yaml here" in person.types("exec", "--", "true").stderr
    (person.work / "Cleanroom.yaml").rename(person.work / "cleanroom.yaml")


ROWS: list[tuple[Callable[[Person], None], str]] = [
    (add_a_host, "host two.example"),
    (recreate, "was replaced by another folder"),
    (rename, "this folder was approved at"),
    (swap, "was replaced by another folder"),
    (link_to_another, "host two.example"),
    (use_the_fallback, ".buildkite/cleanroom.yaml reaches more"),
    (take_it_away_for_a_run, "host one.example"),
]


@pytest.mark.parametrize(("attack", "why"), ROWS, ids=[row[0].__name__ for row in ROWS])
def test_an_attack_on_approval_is_asked_for(
    person: Person, attack: Callable[[Person], None], why: str
) -> None:
    attack(person)
    assert why in refused(person)
    assert person.types("policy", "approve", "--yes").returncode == 0
    assert person.types("exec", "--", "true").returncode == 0


def test_a_fallback_beside_the_policy_counts_for_nothing_and_is_said(person: Person) -> None:
    (person.work / ".buildkite").mkdir()
    (person.work / ".buildkite" / "cleanroom.yaml").write_text(TWO)
    done = person.types("exec", "--", "true")
    assert done.returncode == 0
    assert ".buildkite/cleanroom.yaml beside it is ignored" in done.stderr
    assert person.types("policy", "check", "two.example:443").returncode == 1


def test_a_clone_elsewhere_has_its_own_first_run(person: Person) -> None:
    clone = person.work.parent / "clone"
    git = shutil.which("git")
    assert git
    subprocess.run([git, "clone", "-q", str(person.work), str(clone)], check=True)
    person.work = clone
    person.policy(ONE)
    assert "first run here" in person.types("exec", "--", "true").stderr
    person.policy(TWO)
    assert "host two.example" in refused(person)


def test_what_a_run_wrote_and_a_person_applied_is_asked_for(person: Person) -> None:
    write = f"printf '%s' '{TWO}' > cleanroom.yaml"
    assert person.types("exec", "--", write).returncode == 0
    assert person.types("exec", "--", "true").returncode == 0  # inside it counts for nothing
    person.types("apply")
    if (person.work / "cleanroom.yaml").read_text() != TWO:  # apply may refuse to touch a policy
        person.policy(TWO)
    assert "host two.example" in refused(person)


def test_a_binding_that_grew_is_asked_for_before_anything_is_read(person: Person) -> None:
    person.policy(ONE + SECRET % ("", "/api"))
    grown = person.types("policy", "approve", "--check")
    assert "+ secret gh (GH) to one.example on port 443" in grown.stdout
    (person.work / "old.yaml").write_text(ONE + SECRET % ("", "/api"))
    for host, path, said in (
        (", evil.test", "/api", "+ secret gh to: evil.test"),
        ("", "/apix", "+ secret gh below path: /apix"),
    ):
        person.policy(ONE + SECRET % (host, path))
        diff = person.types("policy", "diff", "old.yaml", "cleanroom.yaml")
        assert diff.returncode == 1
        assert said in diff.stdout.splitlines()


BOUND = ONE + SECRET % ("", "/api")
GIVEN = ("exec", "--secret", "gh=HELD", "--", "echo $GH")


@pytest.fixture
def owner(person: Person) -> Person:
    """Somebody who approved that a value goes to a host from here, and ran something with it."""
    person.environment["HELD"] = "ghp_" + "0a" * 18
    person.policy(BOUND)
    assert person.types("policy", "approve", "--yes").returncode == 0
    done = person.types(*GIVEN)
    assert done.stdout.startswith("ghp_"), done.stderr
    assert person.environment["HELD"] not in done.stdout
    return person


def add_a_host_to_the_binding(person: Person) -> None:
    person.policy(ONE + SECRET % (", evil.test", "/api"))


def add_a_path_to_the_binding(person: Person) -> None:
    person.policy(ONE + SECRET % ("", "/api, /other"))


def clone(person: Person) -> None:
    place = person.work.parent / "clone"
    git = shutil.which("git")
    assert git
    subprocess.run([git, "clone", "-q", str(person.work), str(place)], check=True)
    person.work = place
    person.policy(BOUND)


def take_away_and_back(person: Person) -> None:
    person.policy(ONE)
    assert person.types("exec", "--", "true").returncode == 0
    person.policy(BOUND)


def recreate_bound(person: Person) -> None:
    recreate(person)
    person.policy(BOUND)


def rename_link(person: Person) -> None:
    """The folder moves away, and a link to it takes its place."""
    place = person.work
    rename(person)
    place.symlink_to(person.work)
    person.work = place


BOUND_ROWS = [
    add_a_host_to_the_binding, add_a_path_to_the_binding, clone, take_away_and_back,
    recreate_bound, rename, rename_link, swap,
]  # fmt: skip


@pytest.mark.parametrize("attack", BOUND_ROWS, ids=lambda attack: attack.__name__)
def test_an_attack_on_approval_gets_no_value(
    owner: Person, attack: Callable[[Person], None]
) -> None:
    attack(owner)
    owner.environment["HELD"] = "unread"  # what cannot be a value is not even looked at
    done = owner.types(*GIVEN)
    assert (done.returncode, done.stdout) == (125, "")
    assert "approval_required" in done.stderr
    assert "unread" not in done.stderr
    assert "fewer than" not in done.stderr
