from cleanroom.policy.model import CompiledPolicy, GitScope, SecretBinding
from cleanroom.sandbox.git_settings import VARIABLES, git_settings, needs_variables
from tests.policy.reading import compiled

GIT = "registries: {git: {enable: true, allowed_hosts: [code.example, forge.example]}}"


def said(policy: CompiledPolicy, **placeholders: str) -> list[tuple[str, str]]:
    found = dict(git_settings(policy, placeholders))
    assert all(name.startswith(VARIABLES) for name in found)
    count = int(found.pop("GIT_CONFIG_COUNT", "0"))
    assert len(found) == 2 * count
    return [(found[f"GIT_CONFIG_KEY_{at}"], found[f"GIT_CONFIG_VALUE_{at}"]) for at in range(count)]


def test_repositories_of_a_registry_are_read_over_https() -> None:
    assert said(compiled(f"version: 1\n{GIT}")) == [
        ("url.https://code.example/.insteadOf", "ssh://git@code.example/"),
        ("url.https://code.example/.insteadOf", "git@code.example:"),
        ("url.https://forge.example/.insteadOf", "ssh://git@forge.example/"),
        ("url.https://forge.example/.insteadOf", "git@forge.example:"),
    ]


def test_where_a_rule_opens_ssh_it_is_ssh() -> None:
    rule = "sandbox: {network: {allow: [{host: code.example, ports: [22]}]}}"
    found = said(compiled(f"version: 1\n{GIT}\n{rule}"))
    assert {key for key, _ in found} == {"url.https://forge.example/.insteadOf"}


def test_credentials_stand_beside_it() -> None:
    secret = SecretBinding("forge", "TOKEN", ("code.example",), git=GitScope(("team/*",)))
    policy = CompiledPolicy("sha256:0", "", secrets=(secret,))
    placeholders = {"TOKEN": "t"}
    [(key, value)] = said(policy, **placeholders)
    assert key == "http.https://code.example/team/.extraHeader"
    assert value.startswith("Authorization: Basic ")


def test_without_either_nothing_is_set() -> None:
    off = GIT.replace("true", "false")
    npm = GIT.replace("git:", "npm:")
    assert said(compiled(f"version: 1\n{off}")) == said(compiled(f"version: 1\n{npm}")) == []


def test_the_variables_are_taken_where_git_is_told_something() -> None:
    secret = SecretBinding("forge", "TOKEN", ("code.example",), git=GitScope(("team/*",)))
    assert needs_variables(CompiledPolicy("sha256:0", "", secrets=(secret,)))
    assert needs_variables(compiled(f"version: 1\n{GIT}"))
    assert not needs_variables(compiled(f"version: 1\n{GIT.replace('git:', 'npm:')}"))
