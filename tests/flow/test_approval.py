"""A person, their folder, and a policy that grew behind their back."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.daemon.daemons import DaemonThread, Setting
from tests.flow.conftest import Person
from tests.flow.test_terminal import Terminal


@pytest.fixture
def person(home: Home, short_path: Path) -> Iterator[Person]:
    """Somebody whose daemon asks."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    with DaemonThread(Setting(folder, config_text="approvals: ask\n")) as daemon:
        yield Person(home, daemon)


def test_a_grown_policy_waits_for_its_approval(person: Person) -> None:
    person.policy("one.example")
    first = person.types("exec", "--", "echo", "a")
    assert "first run here, approved with hosts: one.example:443" in first.err
    old = person.folder / "old.yaml"
    old.write_text((person.folder / "cleanroom.yaml").read_text())
    person.policy("one.example", "evil.test")
    refused = person.types("exec", "--", "echo", "a")
    assert (refused.status, refused.out) == (125, "")
    assert "reaches more than was approved here: host evil.test on port 443" in refused.err
    assert "next: cleanroom policy approve" in refused.err
    assert "code: approval_required" in refused.err
    assert person.types("exec", "--dry-run", "--", "true").status == 0
    diff = person.types("policy", "diff", "old.yaml", "cleanroom.yaml")
    assert (diff.status, diff.out) == (1, "+ host evil.test on port 443\n")
    assert person.types("policy", "approve", "--check").status == 1
    approved = person.types("policy", "approve", "--yes")
    assert "+ host evil.test on port 443" in approved.out
    assert person.types("exec", "--", "echo", "a").out == "a\n"
    person.policy("one.example")
    assert person.types("exec", "--", "echo", "a").err == ""


def test_a_program_reads_the_refusal(person: Person) -> None:
    person.policy("one.example")
    person.types("exec", "--", "true")
    person.policy("two.example")
    done = person.types("exec", "--json", "--result-file", "result.json", "--", "true")
    assert done.status == 125
    assert json.loads(done.out)["failure"]["code"] == "approval_required"
    result = json.loads((person.folder / "result.json").read_text())
    assert result["failure"]["code"] == "approval_required"
    assert person.types("exec", "-d", "--", "true").status == 125


def test_the_fallback_added_later_is_asked_for(person: Person) -> None:
    person.types("exec", "--", "true")  # no policy at all
    fallback = person.folder / ".buildkite" / "cleanroom.yaml"
    fallback.parent.mkdir()
    fallback.write_text(person.policy("one.example").read_text())
    (person.folder / "cleanroom.yaml").unlink()
    refused = person.types("exec", "--", "true")
    assert refused.status == 125
    assert ".buildkite/cleanroom.yaml reaches more" in refused.err


def test_a_hash_given_in_ci_is_the_only_one(person: Person) -> None:
    person.policy("one.example")
    person.environment["CLEANROOM_APPROVED_POLICY"] = "sha256:0"
    assert person.types("exec", "--", "true").status == 125
    report = json.loads(person.types("policy", "validate", "--json").out)
    person.environment["CLEANROOM_APPROVED_POLICY"] = report["policy_hash"]
    assert person.types("exec", "--", "true").status == 0
    person.policy("two.example")
    assert person.types("exec", "--no-input", "--", "true").status == 125


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 125), (b"\n", 125)])
def test_somebody_at_a_terminal_is_asked(person: Person, answer: bytes, status: int) -> None:
    person.policy("one.example")
    person.types("exec", "--", "true")
    person.policy("one.example", "two.example")
    terminal = Terminal(person, "exec", "--", "echo", "ran")
    try:
        terminal.see(b"+ host two.example on port 443")
        terminal.see(b"[y/N]")
        os.write(terminal.keyboard, answer)
        assert terminal.end() == status
        assert (b"ran" in terminal.shown) is (status == 0)
    finally:
        terminal.close()


@pytest.mark.parametrize("words", [("--no-input",), ("--quiet",), ("CI",)])
def test_nobody_is_asked_who_said_so(person: Person, words: tuple[str, ...]) -> None:
    person.policy("one.example")
    person.types("exec", "--", "true")
    person.policy("two.example")
    environ = {"CI": "true"} if words == ("CI",) else {}
    flags = () if environ else words
    terminal = Terminal(person, "exec", *flags, "--", "echo", "ran", **environ)
    try:
        assert terminal.end() == 125
        assert b"[y/N]" not in terminal.shown
        assert b"approval_required" in terminal.shown
    finally:
        terminal.close()


@pytest.fixture
def grown(person: Person) -> Person:
    """Somebody whose policy reaches more than what ran last."""
    person.policy("one.example")
    assert person.types("exec", "--", "true").status == 0
    person.policy("one.example", "two.example")
    return person


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1)])
def test_approve_shows_the_difference_and_asks(grown: Person, answer: bytes, status: int) -> None:
    terminal = Terminal(grown, "policy", "approve")
    try:
        terminal.see(b"+ host two.example on port 443")
        terminal.see(b"[y/N]")
        os.write(terminal.keyboard, answer)
        assert terminal.end() == status
        assert (b"not approved: sha256" in terminal.shown) is (status == 1)
    finally:
        terminal.close()
    assert grown.types("exec", "--", "true").status == (125 if status else 0)


def test_nobody_is_there_to_agree(grown: Person) -> None:
    refused = grown.types("policy", "approve")
    assert refused.status == 1
    assert "+ host two.example on port 443" in refused.out
    assert "nobody is here who could agree" in refused.err
    assert "policy approve --yes" in refused.err
    terminal = Terminal(grown, "policy", "approve", "--no-input")
    try:
        assert terminal.end() == 1
        assert b"[y/N]" not in terminal.shown
    finally:
        terminal.close()
    assert grown.types("policy", "approve", "--hash", "sha256:0").status == 1
    assert grown.types("exec", "--", "true").status == 125
    report = json.loads(grown.types("policy", "approve", "--check", "--json").out)
    assert grown.types("policy", "approve", "--hash", report["policy_hash"]).status == 0
    assert grown.types("exec", "--", "true").status == 0
    assert grown.types("policy", "approve").status == 0  # there is nothing to agree to


@pytest.mark.parametrize("words", [("policy", "approve"), ("exec", "--", "echo", "ran")])
def test_what_is_swapped_under_the_question_is_not_what_was_agreed_to(
    grown: Person, words: tuple[str, ...]
) -> None:
    """The answer is about the text that was shown; that one runs, and the other one waits."""
    shown = json.loads(grown.types("policy", "validate", "--json").out)["policy_hash"]
    terminal = Terminal(grown, *words)
    try:
        terminal.see(b"[y/N]")
        grown.policy("one.example", "two.example", "evil.example")
        os.write(terminal.keyboard, b"y\n")
        assert terminal.end() == 0
    finally:
        terminal.close()
    (row,) = recorded(grown)
    assert row == shown
    if words[0] == "exec":
        run = json.loads(grown.types("status", "--json").out)
        assert run["policy_hash"] == shown
    refused = grown.types("exec", "--", "true")
    assert refused.status == 125
    assert "host evil.example on port 443" in refused.err


def test_of_two_answers_at_once_the_last_one_counts_for_what_it_was_shown(grown: Person) -> None:
    first = Terminal(grown, "policy", "approve")
    try:
        first.see(b"[y/N]")
        grown.policy("one.example", "two.example", "three.example")
        second = Terminal(grown, "policy", "approve")
        try:
            second.see(b"[y/N]")
            os.write(second.keyboard, b"y\n")
            assert second.end() == 0
        finally:
            second.close()
        assert grown.types("exec", "--", "true").status == 0
        os.write(first.keyboard, b"y\n")
        assert first.end() == 0
    finally:
        first.close()
    refused = grown.types("exec", "--", "true")
    assert refused.status == 125
    assert "host three.example on port 443" in refused.err


def recorded(person: Person) -> list[str]:
    """Return the hashes of the policies that are recorded."""
    with contextlib.closing(sqlite3.connect(person.setting.paths.database)) as database:
        return [row[0] for row in database.execute("SELECT policy_hash FROM approvals")]
