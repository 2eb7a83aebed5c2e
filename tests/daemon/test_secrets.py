"""Whose word lets a value go where."""

import pytest

from cleanroom.api.types import RunOptions
from cleanroom.daemon.secrets import check_given, check_options, sends_of
from cleanroom.daemon.settings import SecretSource, Settings
from cleanroom.decide.mirror import Mirror
from cleanroom.errors import CleanroomError, Code
from tests.policy.reading import compiled

POLICY = compiled(
    """version: 1
secrets:
  - {id: a, env: A_TOKEN, allowed_hosts: [one.example, two.example]}
  - {id: b, env: B_TOKEN, allowed_hosts: [one.example], required: false}
"""
)
SETTINGS = Settings(secrets=(("a", SecretSource("env", ("A",), ("one.example",))),))


def test_only_what_is_given_is_sent() -> None:
    assert sends_of(POLICY, RunOptions(), Settings(), ()) == {}
    assert sends_of(POLICY, RunOptions(), Settings(), ("b",)) == {"b": ("one.example",)}


def test_the_operators_hosts_need_no_approval_and_a_flags_neither() -> None:
    assert sends_of(POLICY, RunOptions(), SETTINGS, ("a",)) == {"a": ("two.example",)}
    flag = RunOptions(secrets={"a": ["two.example"]})
    assert sends_of(POLICY, flag, SETTINGS, ("a",)) == {"a": ("one.example",)}


def test_a_required_secret_has_a_value() -> None:
    check_given(POLICY, {"a"})
    with pytest.raises(CleanroomError) as caught:
        check_given(POLICY, {"b"})
    assert caught.value.code is Code.SECRET_UNAVAILABLE


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(secrets={"c": []}),
        RunOptions(secrets={"a": ["three.example"]}),
        RunOptions(environment={"B_TOKEN": "x"}),
    ],
)
def test_flags_that_do_not_fit_are_refused(options: RunOptions) -> None:
    with pytest.raises(CleanroomError):
        check_options(POLICY, options)


@pytest.mark.parametrize("more", ["in: [json]", "in: [header, query]", "header: X-Comment"])
def test_the_operators_hosts_are_for_credentials_only(more: str) -> None:
    text = (
        f"version: 1\nsecrets:\n  - {{id: a, env: A_TOKEN, allowed_hosts: [one.example], {more}}}\n"
    )
    policy = compiled(text)
    assert sends_of(policy, RunOptions(), SETTINGS, ("a",)) == {"a": ("one.example",)}
    flag = RunOptions(secrets={"a": ["one.example"]})
    assert sends_of(policy, flag, SETTINGS, ("a",)) == {"a": ()}


def test_a_mirror_of_a_registry_wants_its_value() -> None:
    text = "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [npm.example]}}\n"
    policy = compiled(text)
    mirror = Mirror("npm.example", "https://m.example", "company")
    check_given(policy, {"mirror:company"}, [mirror])
    check_given(policy, (), [Mirror("npm.example", "https://m.example")])
    check_given(policy, (), [Mirror("other.example", "https://m.example", "company")])
    with pytest.raises(CleanroomError) as caught:
        check_given(policy, {"company"}, [mirror])
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    assert "mirror of npm.example" in caught.value.message


GIT = """version: 1
registries: {git: {enable: true, allowed_hosts: [one.example]}}
secrets:
  - {id: a, env: A_TOKEN, allowed_hosts: [one.example], git: {repositories: [team/*]}}
"""


def test_what_may_be_pushed_is_content_that_the_operators_hosts_are_not_for() -> None:
    assert sends_of(compiled(GIT), RunOptions(), SETTINGS, ("a",)) == {"a": ()}
    policy = compiled(GIT.replace("[team/*]", "[team/*], push: {branches: [fix]}"))
    assert sends_of(policy, RunOptions(), SETTINGS, ("a",)) == {"a": ("one.example",)}


@pytest.mark.parametrize("name", ["GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"])
def test_the_variables_of_gits_credentials_are_taken(name: str) -> None:
    options = RunOptions(environment={name: "x"})
    check_options(POLICY, options)
    check_options(compiled(GIT), RunOptions(environment={"GIT_CONFIG_GLOBAL": "x"}))
    with pytest.raises(CleanroomError) as caught:
        check_options(compiled(GIT), options)
    assert caught.value.code is Code.REQUEST_INVALID
