"""Recipes of coding agents: each is whole, and adds to a policy what it says and nothing else."""

import json

import pytest

from cleanroom.decide.secret import TOKEN_HEADERS
from cleanroom.errors import UserError
from cleanroom.policy.agent_recipes import Credential, Recipe
from cleanroom.policy.agents import (
    added,
    files_of,
    login_of,
    recipe_named,
    with_agent,
    word_of,
)
from cleanroom.policy.compile import compile_policy
from cleanroom.policy.explain import explain
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.problems import PolicyErrors
from cleanroom.policy.widening import difference
from tests.recipes import EVERY, secret_id

HEAD = "version: 1\nsandbox:\n  network:\n    allow: [{host: a.example}]\n"


@pytest.mark.parametrize(("recipe", "credential"), EVERY, ids=secret_id)
def test_a_recipe_adds_its_hosts_and_one_binding(recipe: Recipe, credential: Credential) -> None:
    policy = parse_policy(HEAD, "cleanroom.yaml")
    written = compile_policy(policy)
    made = compile_policy(with_agent(policy, word_of(recipe, credential)))
    hosts = {rule.value for rule in made.network.allow_rules}
    assert hosts == {"a.example", *credential.hosts}
    (binding,) = made.secrets
    assert (binding.secret_id, binding.env) == (credential.secret_id, credential.variable)
    assert binding.header in (None, *credential.fields)
    assert (binding.header is None) == (len(credential.fields) > 1)
    assert {name.lower() for name in credential.fields} <= TOKEN_HEADERS
    assert binding.allowed_hosts == credential.hosts
    assert made.policy_hash != written.policy_hash
    changes = [change.text() for change in difference(written, made).wider]
    assert len(changes) == len(hosts)  # a rule each but a.example, and the secret


def test_one_variable_has_one_placeholder() -> None:
    text = (
        "secrets:\n- {id: own, env: ANTHROPIC_API_KEY, allowed_hosts: [a.example]}\n"
        "- {id: other, env: OTHER, allowed_hosts: [a.example]}\n"
    )
    policy = parse_policy(HEAD + text, "cleanroom.yaml")
    made = compile_policy(with_agent(policy, "claude/claude"))
    assert [each.secret_id for each in made.secrets] == ["claude", "other"]


def test_a_deny_rule_is_not_overruled() -> None:
    text = "version: 1\nsandbox:\n  network:\n    deny: [{host: api.anthropic.com}]\n"
    policy = parse_policy(text, "cleanroom.yaml")
    with pytest.raises(PolicyErrors):
        compile_policy(with_agent(policy, "claude/claude"))


@pytest.mark.parametrize("word", ["nobody/x", "claude", "claude/codex", ""])
def test_a_word_that_names_no_recipe_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="cannot"):
        with_agent(parse_policy(HEAD, "cleanroom.yaml"), word)


def test_a_recipe_is_found_by_its_name() -> None:
    assert recipe_named("codex").title == "Codex"


def test_a_recipe_is_explained_without_a_line() -> None:
    made = compile_policy(with_agent(parse_policy(HEAD, "cleanroom.yaml"), "claude/claude"))
    said = "\n".join(explain(made).reach)
    assert "api.anthropic.com on port 443 (agent claude)" in said
    assert "line 0" not in said


def test_files_have_placeholders_and_what_is_told() -> None:
    credential = login_of("codex/codex-login").credential
    holder = "stands for it"
    variables = {"CODEX_LOGIN_TOKEN": holder, "CODEX_LOGIN_ACCOUNT": 'a"\n${HOME}'}
    login, settings = files_of(credential, {**variables, "HOME": "/home/cleanroom"})
    found = json.loads(login.text)
    assert found["tokens"]["access_token"] == holder
    assert found["tokens"]["account_id"] == 'a"\n${HOME}'
    assert settings == credential.files[1]
    nobody, _ = files_of(credential, {"CODEX_LOGIN_TOKEN": "x"})
    assert json.loads(nobody.text)["tokens"]["account_id"] == ""


def test_a_key_is_known_by_its_end() -> None:
    credential = login_of("claude/claude").credential
    (settings,) = files_of(credential, {"ANTHROPIC_API_KEY": "sk-ant-0123456789abcdefghij"})
    approved = json.loads(settings.text)["customApiKeyResponses"]["approved"]
    assert approved == ["0123456789abcdefghij"]


def test_settings_are_added_to_what_is_there() -> None:
    settings = json.dumps({"a": {"b": 1, "list": ["new"]}, "c": {"d": 2}})
    old = {"a": {"b": 0, "own": "x", "list": [str(i) for i in range(30)]}, "c": 1, "own": [1]}
    assert json.loads(added(json.dumps(old), settings)) == {
        "a": {"b": 1, "own": "x", "list": [*(str(i) for i in range(10, 30)), "new"]},
        "c": {"d": 2},
        "own": [1],
    }


@pytest.mark.parametrize("found", ["", "no JSON", "[1]", "[" * 100_000, '{"a": ' * 100_000])
def test_what_is_no_object_counts_as_empty(found: str) -> None:
    assert json.loads(added(found, '{"a": 1}')) == {"a": 1}
