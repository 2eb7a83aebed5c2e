import pytest

from cleanroom.policy.model import GitScope, PushRules
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, compiled, said_of

HOST = "registries: {git: {enable: true, allowed_hosts: [code.example, git.example]}}\n"


def text(git: str, more: str = "") -> str:
    binding = f"{{id: forge, env: TOKEN, allowed_hosts: [code.example]{more}, git: {git}}}"
    return f"version: 1\n{HOST}secrets: [{binding}]\n"


def scope(git: str) -> GitScope | None:
    return parse_policy(text(git), PATH).secrets[0].git


def test_repositories_and_branches_are_read() -> None:
    assert scope("{repositories: [team/lib.git, group/*]}") == GitScope(("team/lib", "group/*"))
    push = "{branches: ['agent/*', fix], force: true, delete: true}"
    assert scope(f"{{repositories: ['*'], push: {push}, username: me}}") == GitScope(
        ("*",), PushRules(("agent/*", "fix"), force=True, delete=True), "me"
    )
    assert scope("{repositories: [lib], push: {branches: [a]}}") == GitScope(
        ("lib",), PushRules(("a",))
    )


WRONG = {
    "{}": "cannot do without secrets.git.repositories",
    "{repositories: []}": "cannot use 0 entries",
    "{repositories: ['te*m/lib']}": "it is a repository like owner/name, or owner/*",
    "{repositories: ['*/lib']}": "it is a repository like",
    "{repositories: [/team/lib]}": "it is a repository like",
    "{repositories: [team/../lib]}": "it is a repository like",
    "{repositories: ['https://code.example/team']}": "it is a repository like",
    "{repositories: [a], push: {}}": "cannot do without secrets.git.push.branches",
    "{repositories: [a], push: {branches: [refs/heads/a]}}": "it is a branch like fix, or agent/*",
    "{repositories: [a], push: {branches: ['a*']}}": "it is a branch like",
    "{repositories: [a], push: {branches: [a//b]}}": "it is a branch like",
    "{repositories: [a], push: {branches: [.a]}}": "it is a branch like",
    "{repositories: [a], push: {branches: [a], force: 'yes'}}": "it is true or false",
    "{repositories: [a], push: {branches: [a], tags: true}}": "cannot use key 'tags'",
    "{repositories: [a], username: 'a:b'}": "it is a user name",
}


@pytest.mark.parametrize("git", WRONG)
def test_anything_else_is_wrong(git: str) -> None:
    assert WRONG[git] in said_of(text(git))[0]


@pytest.mark.parametrize(
    "key",
    [
        "ports: [443]",
        "in: [header]",
        "header: X-Token",
        "paths: [/a]",
        "methods: [GET]",
        "single_use: true",
    ],
)
def test_what_git_decides_itself_is_not_written_beside_it(key: str) -> None:
    [said] = said_of(text("{repositories: [a]}", f", {key}"))
    name = key.partition(":")[0]
    assert f"cannot use '{name}' beside 'git'" in said


def test_a_user_name_is_said_by_git_itself() -> None:
    [said] = said_of(text("{repositories: [a]}", ", kind: basic"))
    assert "cannot use the kind basic beside 'git'" in said


def test_a_host_of_it_is_one_of_git() -> None:
    for other in ("", HOST.replace("true", "false"), HOST.replace("git:", "npm:")):
        [said, *_] = said_of(text("{repositories: [a]}").replace(HOST, other))
        assert "cannot bind 'forge' to git at code.example: it is no git host" in said


@pytest.mark.parametrize(
    ("one", "other", "is_right"),
    [
        ("a/*", "a/b", False),
        ("a/b", "a/*", False),
        ("a/b", "a/b", False),
        ("*", "a/b", False),
        ("a/b", "a/c", True),
        ("a/b/*", "a/c/*", True),
    ],
)
def test_a_repository_has_one_secret(
    one: str,
    other: str,
    is_right: bool,  # noqa: FBT001
) -> None:
    def said(host: str) -> list[str]:
        wanted = ("a", "A", "code.example", one), ("b", "B", host, other)
        lines = [
            f"- {{id: {key}, env: {env}, allowed_hosts: [{at}], git: {{repositories: ['{name}']}}}}"
            for key, env, at, name in wanted
        ]
        return said_of("\n".join(["version: 1", f"{HOST}secrets:", *lines]))

    assert not said("git.example")
    assert bool(said("code.example")) is not is_right
    if not is_right:
        [said_once] = said("code.example")
        assert f"cannot bind two secrets to code.example/{other}: 'a' is, too" in said_once


def test_order_and_what_is_said_twice_mean_nothing() -> None:
    one = text("{repositories: [b, a/*, a/c], push: {branches: [q, p, q]}}")
    other = text("{repositories: [a/*, b], push: {branches: [p, q]}}")
    assert compiled(one).policy_hash == compiled(other).policy_hash
    assert compiled(one).secrets == compiled(other).secrets
    third = text("{repositories: [a/*, b], push: {branches: [p, q], force: true}}")
    assert compiled(third).policy_hash != compiled(one).policy_hash
