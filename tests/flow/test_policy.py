"""From a refusal to the rule that would allow it."""

import json

from tests.flow.conftest import Person


def test_validate_explain_and_check_agree(person: Person) -> None:
    person.policy("registry.example", "'*.files.example'")
    done = person.types("policy", "validate")
    assert done.status == 0
    assert "allow registry.example:443  (line 7)" in done.out
    report = json.loads(person.types("policy", "validate", "--json").out)
    assert report["valid"] is True
    assert report["policy_hash"].startswith("sha256:")
    assert "registry.example" in person.types("policy", "explain").out
    assert person.types("policy", "check", "a.files.example:443").status == 0
    denied = person.types("policy", "check", "files.example:443")
    assert denied.status == 1
    assert "host_not_allowed" in denied.out


def test_what_was_refused_is_suggested_written_and_then_allowed(person: Person) -> None:
    path = person.policy("registry.example")
    person.types("exec", "deny evil.test 443")
    shown = person.types("policy", "suggest")
    assert "+      - host: evil.test" in shown.out
    assert "evil.test" not in path.read_text()
    assert person.types("policy", "suggest", "--write").status == 0
    assert "# ours" in path.read_text()
    assert person.types("policy", "check", "evil.test:443").status == 0
    again = person.types("policy", "suggest")
    assert "nothing to add" in again.err


def test_every_fault_is_listed_in_one_pass(person: Person) -> None:
    person.policy().write_text("version: 1\nversion: 1\nsandbox:\n  network:\n    allow: ['*']\n")
    report = json.loads(person.types("policy", "validate", "--json").out)
    assert report["valid"] is False
    assert {error["line"] for error in report["errors"]} >= {2, 5}


def test_the_schema_is_for_editors(person: Person) -> None:
    schema = json.loads(person.types("schema").out)
    assert "draft-07" in schema["$schema"]
    assert person.types("policy", "schema").out == person.types("schema").out
