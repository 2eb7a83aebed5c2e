"""What a run left: its record, its changes, its audit."""

import json

from tests.flow.conftest import Person


def test_the_last_run_is_the_default(person: Person) -> None:
    person.types("exec", "touch a b")
    run = json.loads(person.types("status", "--json").out)
    assert run["version"] == 1
    assert run["command"] == ["touch a b"]
    assert run["timings"]["total_ms"] > 0
    out = person.types("status", "--run-id", run["id"]).out
    assert "state      succeeded" in out
    assert "total_ms" in out


def test_no_run_yet_is_an_error(person: Person) -> None:
    assert person.types("status").status == 1
    assert person.types("status", "--run-id", "run_x").status == 1


def test_changes_are_shown_and_applied(person: Person) -> None:
    person.types("exec", "touch a b")
    assert person.types("diff", "--name-only").out == "a\nb\n"
    assert "2 files changed" in person.types("diff", "--stat").out
    assert person.types("diff").status == 0
    assert "2 paths applied" in person.types("apply").err


def test_the_audit_has_what_was_denied_and_is_whole(person: Person) -> None:
    person.types("exec", "deny evil.test 443")
    person.types("exec", "allow good.example 443")
    run = json.loads(person.types("status", "--json").out)["id"]
    everything = person.types("audit").out
    assert "evil.test" in everything
    denied = person.types("audit", "--denied").out
    assert "host_not_allowed" in denied
    assert "good.example" not in denied
    own = person.types("audit", "--run-id", run).out
    assert "good.example" in own
    assert "evil.test" not in own
    assert person.types("audit", "verify").out.startswith("the audit log is whole: ")


def test_settings_and_versions_are_shown(person: Person) -> None:
    assert "daemon.autostart: true  # default" in person.types("config", "show", "--origin").out
    found = json.loads(person.types("version", "--json").out)
    assert found["client"] == found["daemon"]
