"""The first policy, from the repository's own files."""

import json

from tests.flow.conftest import Person


def test_a_first_policy_allows_what_the_lock_file_names(equipped: Person) -> None:
    person = equipped
    entry = {
        "version": "1.0.0",
        "resolved": "https://npm.example/a/-/a-1.0.0.tgz",
        "integrity": f"sha512-{'A' * 86}==",
    }
    lock = {"lockfileVersion": 3, "packages": {"node_modules/a": entry}}
    (person.folder / "package-lock.json").write_text(json.dumps(lock))
    (person.folder / "package.json").write_text("{}")
    person.environment["npm_config_registry"] = "https://u:secret@mirror.example:8443/"
    (person.folder / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = git@git.example:me/r\n'
    )
    done = person.types("init")
    assert done.status == 0, done.err
    text = (person.folder / "cleanroom.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert "secret" not in text
    assert "git.example" in text
    plan = person.types("policy", "validate")
    assert plan.status == 0, plan.err
    assert "registry npm: enabled, deny_unknown, 1 artifact pinned" in plan.out
    for target, status in (
        ("npm.example:443", 0),
        ("mirror.example:8443", 0),
        ("git.example:22", 1),
        ("evil.test:443", 1),
    ):
        assert person.types("policy", "check", target).status == status, target
    assert person.types("init").status == 1
    assert (person.folder / "cleanroom.yaml").read_text() == text


def test_an_empty_repository_gets_a_policy_that_allows_nothing(person: Person) -> None:
    assert person.types("init").status == 0
    assert person.types("policy", "check", "a.example:443").status == 1
    assert person.types("exec", "true").status == 0
