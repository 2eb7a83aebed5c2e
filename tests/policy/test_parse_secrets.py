import pytest

from cleanroom.policy.model import SecretBinding
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, problems_in, said_of


def test_a_binding_is_read_whole() -> None:
    text = """\
version: 1
secrets:
  - id: github
    env: GITHUB_TOKEN
    allowed_hosts: [API.github.example]
    ports: [443, 8443]
    in: [header, basic]
    header: X-Token
    paths: [/repos/]
    methods: [GET, POST]
    ttl: 5m
    single_use: true
    on_violation: terminate
    required: false
"""
    assert parse_policy(text, PATH).secrets == (
        SecretBinding(
            "github",
            "GITHUB_TOKEN",
            allowed_hosts=("api.github.example",),
            target=("header", "basic"),
            ttl_s=300,
            single_use=True,
            ports=(443, 8443),
            header="X-Token",
            paths=("/repos/",),
            methods=("GET", "POST"),
            on_violation="terminate",
            required=False,
        ),
    )


def test_a_binding_needs_only_who_where_and_what() -> None:
    text = "version: 1\nsecrets: [{id: a, env: A, allowed_hosts: [a.example]}]"
    assert parse_policy(text, PATH).secrets == (SecretBinding("a", "A", ("a.example",)),)


WRONG = {
    "env: 'A=B'": "env: it is the name of a variable",
    "header: 'X Token'": "header: it is the name of a header",
    "in: [trailer]": "it is header, basic, query, form, json or cookie",
    "in: []": "cannot use 0 entries",
    "paths: [repos]": "it is a path that begins with '/'",
    "methods: [get]": "it is a method in capitals",
    "on_violation: warn": "it is block or terminate",
    "allowed_hosts: ['*.a.example']": "letters, digits",
    "ttl: 31d": "out of range",
}


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_binding_is_refused(entry: str) -> None:
    written = {"id": "id: a", "env": "env: A", "allowed_hosts": "allowed_hosts: [a.example]"}
    written[entry.split(":")[0]] = entry
    [said] = said_of(f"version: 1\nsecrets: [{{{', '.join(written.values())}}}]")
    assert WRONG[entry] in said


def test_a_value_has_no_place_in_a_policy() -> None:
    text = "version: 1\nsecrets: [{id: a, env: A, allowed_hosts: [a.example], value: x}]"
    [problem] = problems_in(text)
    assert problem.message == "cannot use key 'value' in secrets: it is unknown"
    assert problem.hint == "a value never stands in a policy"
