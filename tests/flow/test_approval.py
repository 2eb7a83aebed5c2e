"""A person, their folder, and a policy that grew behind their back."""

import json
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
    approved = person.types("policy", "approve")
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
    import os  # noqa: PLC0415 -- only here

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
