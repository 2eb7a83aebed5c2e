"""`secrets` of config.yaml: one provider each, and never a value."""

import json

import pytest

from cleanroom.daemon.config import parse_config, report
from cleanroom.daemon.settings import SecretSource
from cleanroom.policy.problems import FileErrors

EVERY = """secrets:
  a: {env: A_TOKEN, hosts: [One.Example]}
  b: {file: /x y}
  c: {command: [pass, show, "1"]}
  d: {keyring: {service: x, user: me}}
"""


def test_every_provider_is_read() -> None:
    config = parse_config(EVERY, "config.yaml", {"CLEANROOM_SECRETS": "x"})
    assert dict(config.settings.secrets) == {
        "a": SecretSource("env", ("A_TOKEN",), ("one.example",)),
        "b": SecretSource("file", ("/x y",)),
        "c": SecretSource("command", ("pass", "show", "1")),
        "d": SecretSource("keyring", ("service", "x", "user", "me")),
    }
    shown = {each.key: each for each in report(config).values}["secrets"]
    assert shown.origin == "config.yaml:1"
    assert json.loads(shown.value)[1] == ["b", {"provider": "file", "words": ["/x y"], "hosts": []}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: {}", "it has one of env, file, command, keyring"),
        ("a: {env: A, file: /a}", "it has one of env, file, command, keyring"),
        ("a: {value: x}", "a value never stands in a file"),
        ("a: {file: x}", "an absolute path"),
        ("a: {keyring: {}}", "cannot use nothing for secrets"),
        ("a: {command: []}", "1 to 64 entries"),
        ("a: {env: A, hosts: ['*.x']}", "hosts"),
        ("a b: {env: A}", "a short name"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(FileErrors) as caught:
        parse_config(f"secrets:\n  {text}\n", "config.yaml", {})
    said = " ".join(f"{each.message} {each.hint}" for each in caught.value.problems)
    assert why in said


def test_what_other_credentials_do_is_said_by_host() -> None:
    text = "gateway:\n  foreign_credentials: {One.Example: strip, two.example: pass}\n"
    settings = parse_config(text, "config.yaml", {}).settings
    pairs = (("one.example", "strip"), ("two.example", "pass"))
    assert settings.gateway.foreign_credentials == pairs
    with pytest.raises(FileErrors):
        parse_config("gateway:\n  foreign_credentials: {one.example: block}\n", "config.yaml", {})


def test_a_pointer_is_a_files() -> None:
    text = "secrets:\n  a: {file: /x, pointer: /login/token}\n  b: {file: /x, pointer: ''}\n"
    settings = parse_config(text, "config.yaml", {}).settings
    assert [source.words for _, source in settings.secrets] == [("/x", "/login/token"), ("/x", "")]
    for wrong in ("{env: A, pointer: /x}", "{file: /x, pointer: x}", "{file: /x, pointer: /~2}"):
        with pytest.raises(FileErrors):
            parse_config(f"secrets:\n  a: {wrong}\n", "config.yaml", {})
