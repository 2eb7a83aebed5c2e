"""`sandboxes stop, extend, rm, prune`: what is asked, what is said."""

import json

from tests.cli.conftest import CommandLine
from tests.cli.test_cmd_sandboxes import SANDBOX
from tests.client.scripted import Answer, problem

PATH = "/v1/sandboxes/dev"


def test_extend_asks_for_seconds_from_now(cli: CommandLine) -> None:
    cli.script.answers[f"POST {PATH}/extend"] = Answer({**SANDBOX, "expires_at": "T2"})
    assert cli("sandboxes", "extend", "dev", "--ttl", "2h").out == "sbx_1 until T2\n"
    assert cli.daemon.sent("POST", f"{PATH}/extend").json() == {"ttl_s": 7200}
    done = cli("sandboxes", "extend", "dev")
    assert (done.status, "--ttl" in done.err) == (2, True)
    assert cli("sandboxes", "extend", "dev", "--ttl", "long").status == 2
    done = cli("sandboxes", "extend", "dev", "--ttl", "9999h")
    assert (done.status, "720h is the most here" in done.err) == (2, True)


def test_rm_is_refused_for_what_lives_unless_forced(cli: CommandLine) -> None:
    hint = "cleanroom sandboxes rm --force dev"
    cli.script.answers[f"DELETE {PATH}"] = problem("conflict", "it is ready", 409, hint=hint)
    done = cli("rm", "dev")
    assert (done.status, hint in done.err) == (1, True)
    cli.script.answers[f"DELETE {PATH}"] = Answer(SANDBOX)
    assert cli("sandboxes", "rm", "-f", "dev").out == "sbx_1 removed\n"
    assert cli.daemon.requests[-1].target == f"{PATH}?force=true"
    assert json.loads(cli("rm", "dev", "--json").out)["id"] == "sbx_1"
    assert cli.daemon.requests[-1].target == PATH


def test_rm_takes_several_and_one_that_cannot_go_keeps_no_other(cli: CommandLine) -> None:
    for word in ("a", "b"):
        cli.script.answers[f"DELETE /v1/sandboxes/{word}"] = Answer({**SANDBOX, "id": word})
    cli.script.answers[f"DELETE {PATH}"] = problem("conflict", "it is ready", 409)
    cli.script.answers["DELETE /v1/sandboxes/no"] = problem("sandbox_not_found", "none", 404)
    done = cli("rm", "a", "dev", "no", "b", "a")
    assert (done.status, done.out) == (1, "a removed\nb removed\n")
    assert "it is ready" in done.err
    assert "code: sandbox_not_found" in done.err
    done = cli("rm")
    assert (done.status, "which one?" in done.err) == (2, True)


def test_stop_takes_several_or_all_that_live(cli: CommandLine) -> None:
    for word in ("a", "b"):
        stopped = Answer({**SANDBOX, "id": word, "state": "stopped"})
        cli.script.answers[f"POST /v1/sandboxes/{word}/stop"] = stopped
    cli.script.answers["POST /v1/sandboxes/no/stop"] = problem("sandbox_not_found", "none", 404)
    done = cli("stop", "a", "no", "b")
    assert (done.status, done.out) == (1, "a stopped\nb stopped\n")
    assert "code: sandbox_not_found" in done.err
    living = [{**SANDBOX, "id": "a"}, {**SANDBOX, "id": "b"}]
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": living})
    assert cli("stop", "--all").out == "a stopped\nb stopped\n"
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": []})
    done = cli("stop", "--all")
    assert (done.status, done.out, done.err) == (0, "", "no sandbox lives\n")


def test_stop_wants_names_or_all_and_not_both(cli: CommandLine) -> None:
    for words in ((), ("a", "--all")):
        done = cli("stop", *words)
        assert (done.status, "cleanroom stop --all" in done.err) == (2, True)


def test_prune_says_what_it_removed(cli: CommandLine) -> None:
    path = "/v1/sandboxes/prune"
    cli.script.answers[f"POST {path}"] = Answer({"removed": ["sbx_1", "sbx_2"]})
    assert cli("sandboxes", "prune").out == "sbx_1 removed\nsbx_2 removed\n"
    assert json.loads(cli("sandboxes", "prune", "--older-than", "24h", "--json").out)["removed"]
    assert [each.json() for each in cli.daemon.requests if each.target == path] == [
        {},
        {"older_than_s": 86_400},
    ]
