"""The first policy, from the repository's own files."""

import json

from tests.flow.conftest import Person


def test_a_first_policy_allows_what_the_lock_file_names(person: Person) -> None:
    lock = {"packages": {"node_modules/a": {"resolved": "https://npm.example/a.tgz"}}}
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
    assert person.types("policy", "validate").status == 0
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
