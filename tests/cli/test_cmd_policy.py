"""`cleanroom policy`, against a scripted daemon; the real answers are in tests/flow."""

import json

import pytest

from cleanroom.cli.cmd_policy import target
from cleanroom.errors import UsageError
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem

RULE = {"rule": "registry.example:443", "kind": "exact", "host": "registry.example", "line": 6}
REPORT = {
    "policy_hash": "sha256:1",
    "path": "cleanroom.yaml",
    "default_action": "deny",
    "allow": [{**RULE, "ports": [443]}],
    "deny": [],
    "registries": [{"manager": "npm", "enabled": True}],
    "secrets": [{"id": "tok", "allowed_hosts": ["api.example"]}],
    "backend": "local",
    "required_capabilities": ["network_default_deny"],
    "missing_capabilities": [
        {"capability": "secret_isolation", "needed_by": "secrets[0]", "reason": "not yet"}
    ],
    "runnable": False,
    "notes": ["a note"],
}


def test_validate_shows_the_plan_and_fails_where_it_cannot_run(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers["POST /v1/policy/validate"] = Answer(REPORT)
    done = cli("policy", "validate", "--backend", "local")
    assert done.status == 1
    assert "allow registry.example:443  (line 6)" in done.out
    assert "secret_isolation is missing, needed by secrets[0]" in done.err
    body = cli.daemon.sent("POST", "/v1/policy/validate").json()
    assert body["backend"] == "local"
    assert body["policy"]["text"] == "version: 1\n"


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ({"enabled": False}, "not enabled"),
        ({"enabled": True}, "enabled, lock files not enforced"),
        ({"enabled": True, "lockfile_mode": "warn", "pinned": 2}, "enabled, warn, 2 artifacts"),
        (
            {"enabled": True, "lockfile_mode": "deny_unknown", "pinned": 2, "first_seen": 1},
            "enabled, deny_unknown, 3 artifacts pinned, 1 of them by name and version only",
        ),
    ],
)
def test_validate_says_how_a_registry_is_held(
    cli: CommandLine, registry: dict[str, object], said: str
) -> None:
    report = {**REPORT, "registries": [{"manager": "npm", **registry}]}
    cli.script.answers["POST /v1/policy/validate"] = Answer(report)
    assert f"  registry npm: {said}" in cli("policy", "validate").out


def test_lock_files_are_sent_with_the_policy_that_names_them(cli: CommandLine) -> None:
    cli.policy("version: 1 # lockfiles\n")
    (cli.folder / "a.lock").write_text("pins")
    cli.script.answers["POST /v1/policy/lockfiles"] = Answer({"patterns": ["*.lock", "gone"]})
    cli.script.answers["POST /v1/policy/explain"] = Answer({"lines": [], "notes": []})
    assert cli("policy", "explain").status == 0
    assert "lockfiles" not in cli.daemon.sent("POST", "/v1/policy/lockfiles").json()["policy"]
    body = cli.daemon.sent("POST", "/v1/policy/explain").json()
    assert body["policy"]["lockfiles"] == {"a.lock": "pins"}


def test_faults_are_placed_also_when_the_lock_files_are_asked_for(cli: CommandLine) -> None:
    cli.policy("version: 1 # lockfiles\n")
    error = {"path": "cleanroom.yaml", "line": 2, "column": 1, "message": "unknown key"}
    cli.script.answers["POST /v1/policy/lockfiles"] = problem(
        "policy_invalid", "cannot use the policy", 422, errors=[error]
    )
    done = cli("policy", "validate", "--json")
    assert (done.status, json.loads(done.out)["errors"][0]["line"]) == (1, 2)


def test_validate_json_is_the_report(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/policy/validate"] = Answer({**REPORT, "runnable": True})
    done = cli("policy", "validate", "--json")
    assert done.status == 0
    assert json.loads(done.out) == {"version": 1, "valid": True, **REPORT, "runnable": True}


def test_every_fault_of_a_file_has_its_place(cli: CommandLine) -> None:
    errors = [
        {"path": "cleanroom.yaml", "line": 2, "column": 1, "message": "unknown key", "hint": "x?"},
        {"path": "cleanroom.yaml", "line": 0, "column": 0, "message": "no version"},
    ]
    cli.script.answers["POST /v1/policy/validate"] = problem(
        "policy_invalid", "cannot use the policy", 422, errors=errors
    )
    done = cli("policy", "validate")
    assert done.status == 1
    assert "  cleanroom.yaml:2:1: unknown key\n    x?\n  no version\n" in done.err
    found = json.loads(cli("policy", "validate", "--json").out)
    assert (found["valid"], found["code"]) == (False, "policy_invalid")
    assert found["errors"][0]["column"] == 1


def test_another_refusal_stays_an_error_under_json(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/policy/validate"] = problem("internal", "cannot", 500)
    done = cli("policy", "validate", "--json")
    assert (done.status, done.out) == (1, "")


def test_explain_is_sentences(cli: CommandLine) -> None:
    answer = {"policy_hash": "sha256:1", "lines": ["allows a"], "notes": ["b"]}
    cli.script.answers["POST /v1/policy/explain"] = Answer(answer)
    assert cli("policy", "explain").out == "allows a\nnote: b\n"
    assert json.loads(cli("policy", "explain", "--json").out)["lines"] == ["allows a"]


@pytest.mark.parametrize("line", [7, 0])
def test_check_says_yes_with_the_rule(cli: CommandLine, line: int) -> None:
    cli.policy()
    verdict = {"allowed": True, "host": "a.example", "port": 443, "rule": "*.example:443"}
    cli.script.answers["POST /v1/policy/check"] = Answer({**verdict, "line": line})
    done = cli("policy", "check", "a.example:443")
    assert done.status == 0
    place = " (cleanroom.yaml:7)" if line else ""
    assert done.out == f"allowed: a.example:443 by *.example:443{place}\n"


def test_check_says_what_passes_at_a_registry(cli: CommandLine) -> None:
    verdict = {"allowed": True, "host": "r.example", "port": 443, "rule": "r.example:443"}
    only = "packages of npm, TLS opened, only what package-lock.json pins (4 artifacts)"
    cli.script.answers["POST /v1/policy/check"] = Answer({**verdict, "line": 0, "registry": only})
    done = cli("policy", "check", "r.example:443")
    assert done.out == f"allowed: r.example:443 for {only}\n"


def test_check_says_no_with_the_reason(cli: CommandLine) -> None:
    verdict = {"allowed": False, "host": "a", "port": 1, "code": "host_not_allowed", "reason": "no"}
    cli.script.answers["POST /v1/policy/check"] = Answer(verdict)
    done = cli("policy", "check", "a:1")
    assert (done.status, done.out) == (1, "denied: a:1: no (host_not_allowed)\n")
    assert cli("policy", "check", "--json", "a:1").status == 1


def test_a_target_is_a_host_and_a_port() -> None:
    assert target("a.example:443") == ("a.example", 443)
    assert target("[2001:db8::1]:22") == ("2001:db8::1", 22)
    for text in ("a.example", ":443", "a:", "a:0", "a:65536", "a:x", "a:４", "2001:db8::1:22"):
        with pytest.raises(UsageError, match="as a target"):
            target(text)


def suggestion(*, changed: bool) -> Answer:
    text = "version: 1\nsandbox: {}\n"
    return Answer(
        {"run_id": "run_1", "rules": [RULE], "text": text, "changed": changed, "notes": ["n"]}
    )


def test_suggest_shows_a_diff_and_writes_nothing(cli: CommandLine) -> None:
    path = cli.policy()
    cli.script.answers["POST /v1/policy/suggest"] = suggestion(changed=True)
    done = cli("policy", "suggest", "--run-id", "run_1")
    assert done.status == 0
    assert "+sandbox: {}\n" in done.out
    assert "cleanroom policy suggest --write" in done.err
    assert path.read_text() == "version: 1\n"
    body = cli.daemon.sent("POST", "/v1/policy/suggest").json()
    assert (body["run_id"], body["workspace"]) == ("run_1", str(cli.folder))


def test_without_a_policy_suggest_names_the_command_that_writes_a_better_one(
    cli: CommandLine,
) -> None:
    cli.script.answers["POST /v1/policy/suggest"] = suggestion(changed=True)
    assert "note: there is no policy here yet: for packages, `cleanroom init`" in (
        cli("policy", "suggest").err
    )
    assert "no policy here" not in cli("policy", "suggest", "--write").err
    assert "no policy here" not in cli("policy", "suggest").err


def test_suggest_writes_on_demand(cli: CommandLine) -> None:
    path = cli.policy()
    cli.script.answers["POST /v1/policy/suggest"] = suggestion(changed=True)
    done = cli("policy", "suggest", "--write", "--json")
    assert json.loads(done.out)["written"] is True
    assert path.read_text() == "version: 1\nsandbox: {}\n"
    cli.policy()
    cli.script.answers["POST /v1/policy/approve"] = Answer({"needed": True})
    assert "next: cleanroom policy approve" in cli("policy", "suggest", "--write").err


def test_nothing_to_suggest_is_said_and_not_written(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/policy/suggest"] = suggestion(changed=False)
    done = cli("policy", "suggest", "--write")
    assert "nothing to add" in done.err
    assert not (cli.folder / "cleanroom.yaml").exists()
    assert json.loads(cli("policy", "suggest", "--write", "--json").out)["written"] is False


def test_schema_is_under_both_names(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/policy/schema"] = Answer(b'{"$schema": "x"}')
    assert cli("policy", "schema").out == cli("schema").out == '{"$schema": "x"}\n'
