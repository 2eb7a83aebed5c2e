"""`--agent`: which login is used, and what the daemon is asked for."""

import json
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer
from tests.conftest import Home


def asked(cli: CommandLine, *flags: str) -> dict[str, Any]:
    """Return RunRequest of an exec with these flags; the daemon has the sandbox already."""
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [], "taken": False})
    assert cli("exec", *flags, "--", "true").status == 0
    found: dict[str, Any] = cli.daemon.sent("POST", "/v1/runs").json()
    return found


def test_where_nothing_is_found_the_operator_may_know(cli: CommandLine, home: Home) -> None:
    path = home.home / ".claude" / ".credentials.json"
    path.parent.mkdir()
    path.write_text("{}")
    assert asked(cli, "--agent", "claude")["policy"]["agent"] == "claude/claude"


def test_a_recipe_is_a_word_a_secret_variables_and_a_volume(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    request = asked(cli, "--agent", "claude", "-e", "DISABLE_AUTOUPDATER=0")
    assert request["policy"]["agent"] == "claude/claude"
    options = request["options"]
    assert options["secrets"] == {"claude": ["api.anthropic.com"]}
    assert options["environment"]["CLAUDE_CONFIG_DIR"] == "/home/cleanroom/.claude"
    assert options["environment"]["DISABLE_AUTOUPDATER"] == "0"
    assert options["volumes"] == [{"name": "agent-claude", "at": "/home/cleanroom/.claude"}]
    assert "sk-ant" not in json.dumps(request)


def test_a_login_file_is_used_where_no_variable_is_set(cli: CommandLine, home: Home) -> None:
    path = home.home / ".claude" / ".credentials.json"
    path.parent.mkdir()
    path.write_text('{"claudeAiOauth": {"accessToken": "sk-ant-oat01-0123456789"}}')
    request = asked(cli, "--agent", "claude")
    assert request["policy"]["agent"] == "claude/claude-login"
    assert request["options"]["secrets"] == {"claude-login": ["api.anthropic.com"]}


def test_of_a_login_file_what_is_no_secret_is_told(cli: CommandLine, home: Home) -> None:
    path = home.home / ".codex" / "auth.json"
    path.parent.mkdir()
    tokens = {"access_token": "eyJ0.eyJ0.0123456789", "account_id": "an-account"}
    path.write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens}))
    request = asked(cli, "--agent", "codex")
    assert request["policy"]["agent"] == "codex/codex-login"
    assert request["options"]["secrets"] == {"codex-login": ["chatgpt.com"]}
    assert request["options"]["environment"]["CODEX_LOGIN_ACCOUNT"] == "an-account"
    assert "0123456789" not in json.dumps(request)


def test_what_a_login_file_does_not_tell_is_left_out(cli: CommandLine, home: Home) -> None:
    path = home.home / ".codex" / "auth.json"
    path.parent.mkdir()
    path.write_text('{"tokens": {"access_token": "eyJ0.eyJ0.0123456789"}}')
    assert "CODEX_LOGIN_ACCOUNT" not in asked(cli, "--agent", "codex")["options"]["environment"]


def test_a_login_may_have_variables_of_its_own(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_ACCESS_TOKEN", "ya29.0123456789")
    request = asked(cli, "--agent", "gemini")
    assert request["policy"]["agent"] == "gemini/gemini-login"
    environment = request["options"]["environment"]
    assert environment["GOOGLE_GENAI_USE_GCA"] == "true"
    assert "GOOGLE_CLOUD_ACCESS_TOKEN" not in environment


def test_what_the_person_says_comes_first(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    volume = "mine:/home/cleanroom/.claude"
    flags = ("--secret", "claude-login=MY_TOKEN", "--volume", volume)
    request = asked(cli, "--agent", "claude", *flags)
    assert request["policy"]["agent"] == "claude/claude-login"
    assert request["options"]["secrets"] == {"claude-login": ["api.anthropic.com"]}
    assert request["options"]["volumes"] == [{"name": "mine", "at": "/home/cleanroom/.claude"}]


def test_an_unknown_agent_is_named_with_those_that_there_are(cli: CommandLine) -> None:
    done = cli("exec", "--agent", "nobody", "--", "true")
    assert done.status == 125
    assert "there are: claude, codex" in done.err


def test_what_a_run_would_bind_is_explained_and_checked_before_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    need = {"id": "claude", "env": "ANTHROPIC_API_KEY", "allowed_hosts": ["api.anthropic.com"]}
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [{**need, "required": True}]})
    listed = cli("secrets", "list", "--agent", "claude")
    assert "env ANTHROPIC_API_KEY" in listed.out
    asked = cli.daemon.sent("POST", "/v1/secrets/needs").json()
    assert asked["policy"]["agent"] == "claude/claude"
    assert asked["options"]["secrets"] == {"claude": ["api.anthropic.com"]}
    checked = cli("secrets", "check", "--agent", "claude")
    assert (checked.status, checked.out) == (0, "claude: its value can be used\n")
    cli.script.answers["POST /v1/policy/explain"] = Answer({"lines": [], "notes": []})
    assert cli("policy", "explain", "--agent", "claude").status == 0
    explained = cli.daemon.sent("POST", "/v1/policy/explain").json()
    assert explained["policy"]["agent"] == "claude/claude"
    assert "sk-ant" not in json.dumps([asked, explained]) + listed.out
