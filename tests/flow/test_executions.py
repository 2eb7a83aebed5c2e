"""A command looked at from outside while it runs and after its end."""

import json

from tests.flow.conftest import Person
from tests.flow.test_exec import wait_for


def test_a_running_command_is_listed_read_and_canceled(person: Person) -> None:
    with person.start("exec", "--sandbox", "dev", "--keep", "-v", "sleep") as process:
        wait_for(process, b"run run_")
        (execution,) = json.loads(person.types("executions", "list", "dev", "--json").out)[
            "executions"
        ]
        assert execution["state"] == "running"
        assert "sleep" in person.types("executions", "list", "dev").out
        assert person.types("executions", "cancel", "dev", execution["id"]).status == 0
        assert process.wait(20) == 143
        assert process.stderr
        assert b"cleanroom: it was canceled\n" in process.stderr.read()
    assert person.types("executions", "wait", "dev", execution["id"]).status == 143
    assert "canceled" in person.types("executions", "get", "dev", execution["id"]).out


def test_a_command_whose_sandbox_is_stopped_says_so_to_all_who_wait(person: Person) -> None:
    with person.start("exec", "--sandbox", "dev", "-v", "sleep") as process:
        wait_for(process, b"run run_")
        assert person.types("stop", "dev").status == 0
        assert process.wait(60) == 130
        assert process.stderr
        assert b"cleanroom: its sandbox was stopped\n" in process.stderr.read()
    for words in (("wait", "dev"), ("attach", "dev")):
        done = person.types(*words)
        assert (done.status, "its sandbox was stopped" in done.err) == (130, True), done.err


def test_a_signal_reaches_it(person: Person) -> None:
    with person.start("exec", "--sandbox", "dev", "--keep", "-v", "sleep") as process:
        wait_for(process, b"run run_")
        listed = json.loads(person.types("executions", "list", "dev", "--json").out)
        (execution,) = listed["executions"]
        killed = person.types("executions", "kill", "dev", execution["id"], "--signal", "TERM")
        assert killed.status == 0
        assert process.wait(20) == 143


def test_output_can_be_read_by_another(person: Person) -> None:
    with person.start("exec", "--sandbox", "dev", "--keep", "cat") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n"
        listed = json.loads(person.types("executions", "list", "dev", "--json").out)
        (execution,) = listed["executions"]
        assert person.types("logs", "dev", execution["id"]).out == "hello\n"
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_detached_command_is_read_and_waited_for(person: Person) -> None:
    started = person.types("exec", "-d", "--", "exit", "7")
    assert started.status == 0
    sandbox, execution = started.out.split()
    assert person.types("wait", sandbox, execution).status == 7
    talking = json.loads(person.types("exec", "-d", "--json", "--", "echo", "hello").out)
    ids = talking["sandbox_id"], talking["execution_id"]
    assert person.types("logs", "-f", *ids).out == "hello\n"
    assert person.types("logs", *ids).out == "hello\n"
