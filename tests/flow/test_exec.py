"""`cleanroom exec` from policy file to exit status."""

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flow.conftest import Person, Process, press


def test_a_command_runs_and_its_status_is_ours(person: Person) -> None:
    person.policy("registry.example")
    done = person.types("exec", "--", "echo", "a", "b")
    assert (done.status, done.out) == (0, "a b\n")
    assert done.err == "cleanroom: first run here, approved with hosts: registry.example:443\n"
    again = person.types("exec", "--", "echo", "a", "b")
    assert (again.status, again.out, again.err) == (0, "a b\n", "")
    assert person.types("exec", "exit 7").status == 7
    assert person.types("exec", "--", "err", "x").err == "x\n"


def test_no_policy_is_said_once_with_what_writes_one(person: Person) -> None:
    done = person.types("exec", "true")
    assert done.status == 0
    assert done.err.count("cleanroom init") == 1


def test_two_policies_are_a_warning(person: Person) -> None:
    person.policy()
    (person.folder / ".buildkite").mkdir()
    (person.folder / ".buildkite" / "cleanroom.yaml").write_text("version: 1\n")
    assert ".buildkite/cleanroom.yaml" in person.types("exec", "true").err


def test_a_wrong_policy_stops_before_anything_runs(person: Person) -> None:
    person.policy().write_text("version: 1\nsandbx: {}\nsandbox:\n  network:\n    default: allow\n")
    done = person.types("exec", "true")
    assert done.status == 125
    assert "cleanroom.yaml:2:1:" in done.err
    assert "cleanroom.yaml:5:" in done.err
    assert "policy_invalid" in done.err
    assert not person.setting.backend.sandboxes


def test_input_goes_in_and_comes_out_untouched(person: Person) -> None:
    data = bytes(range(256)) * 4000
    with person.start("exec", "cat") as process:
        out, _ = process.communicate(data, timeout=20)
    assert process.returncode == 0
    assert out == data


def test_an_input_that_never_ends_hangs_nothing(person: Person) -> None:
    with person.start("exec", "true") as process:
        assert process.wait(20) == 0


def test_without_any_input_it_has_ended(person: Person) -> None:
    with person.start("exec", "cat", stdin=subprocess.DEVNULL) as process:
        assert process.wait(20) == 0


def test_a_file_is_input_too(person: Person) -> None:
    path = person.policy()
    with path.open("rb") as file, person.start("exec", "cat", stdin=file.fileno()) as process:
        out, _ = process.communicate(timeout=20)
    assert out == path.read_bytes()


def test_refusals_are_said_at_once_and_summed_up(person: Person) -> None:
    with person.start("exec", "--", "deny", "evil.test", "443", "3") as process:
        _, err = process.communicate(timeout=20)
    lines = err.decode().splitlines()
    assert process.returncode == 0
    said = [line for line in lines if "denied evil.test:443" in line]
    assert len(said) == 1
    assert "host_not_allowed" in said[0]
    assert any("3 connections denied (1 host)" in line for line in lines)
    assert any("cleanroom policy suggest" in line for line in lines)
    assert person.types("exec", "--fail-on-denied", "deny evil.test 443").status == 1


def test_changed_files_are_counted(person: Person) -> None:
    assert "2 files changed: cleanroom diff" in person.types("exec", "touch a b").err


def test_a_timeout_is_124(person: Person) -> None:
    done = person.types("exec", "--timeout", "1s", "sleep")
    assert done.status == 124
    assert "timed_out" in done.err


def test_a_command_that_is_not_there_is_127(person: Person) -> None:
    done = person.types("exec", "--", "nonsense")
    assert done.status == 127
    assert "nonsense" in done.err


def test_the_first_ctrl_c_cancels(person: Person) -> None:
    with person.start("exec", "-v", "sleep") as process:
        wait_for(process, b"run run_")
        press(process)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Ctrl-C again" in err


def test_the_second_ctrl_c_leaves_and_says_how_to_come_back(person: Person) -> None:
    with person.start("exec", "-v", "stubborn") as process:
        wait_for(process, b"run run_")
        press(process)
        wait_for(process, b"Ctrl-C again")
        press(process)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"cleanroom executions get sbx_" in err


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["term", "hup"]
)
def test_other_signals_end_the_command_too(person: Person, number: int, status: int) -> None:
    with person.start("exec", "-v", "sleep") as process:
        wait_for(process, b"run run_")
        press(process, number)
        assert process.wait(20) == status
    assert person.setting.backend.sandboxes[0].processes[0].signals


def test_a_killed_client_leaves_no_command_behind(person: Person) -> None:
    with person.start("exec", "cat") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"here\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"here\n"
        process.kill()
    done = person.types("executions", "wait", *ids_of_last_run(person))
    assert done.status == 143
    assert person.setting.backend.sandboxes[0].stops


def wait_for(process: Process, text: bytes) -> None:
    """Read the client's stderr until it said this."""
    assert process.stderr
    said = b""
    while text not in said:
        piece = os.read(process.stderr.fileno(), 4096)
        assert piece, f"it ended without {text!r}: {said!r}"
        said += piece


def ids_of_last_run(person: Person) -> tuple[str, str]:
    """Return sandbox and execution of the last run."""
    run = json.loads(person.types("status", "--json").out)
    return run["sandbox_id"], run["execution_id"]


def test_a_closed_pipe_ends_it_quietly(person: Person) -> None:
    with person.start("exec", "--", "flood", "100000000") as process:
        assert process.stdout
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()


def test_much_output_passes_in_level_memory(person: Person) -> None:
    size = 64 * 1024 * 1024
    got, peak = 0, 0
    with person.start("exec", "--", "flood", str(size)) as process:
        assert process.stdout
        while piece := os.read(process.stdout.fileno(), 1 << 20):
            got += len(piece)
            with suppress(FileNotFoundError, ProcessLookupError):
                peak = max(peak, resident(process.pid))
        assert process.wait(20) == 0
    assert got == size
    assert peak < 60 * 1024 * 1024


def resident(pid: int) -> int:
    """Return the resident bytes of a process (proc(5), statm)."""
    statm = Path(f"/proc/{pid}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGESIZE")


def test_json_and_the_result_file_say_the_same(person: Person) -> None:
    done = person.types("exec", "--json", "--result-file", "r.json", "deny evil.test 443 2")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["type"] for line in lines] == ["start", "denied", "exit"]
    result = json.loads((person.folder / "r.json").read_text())
    assert {**lines[-1], "type": None} == {**result, "type": None}
    assert result["denied"][0]["count"] == 2
    assert done.err == ""


def test_a_dry_run_shows_and_starts_nothing(person: Person) -> None:
    person.policy("registry.example")
    done = person.types("exec", "--dry-run", "echo a")
    assert done.status == 0
    assert 'argv: ["/bin/sh", "-c", "echo a"]' in done.out
    assert not person.setting.backend.sandboxes


def test_variables_reach_the_command(person: Person) -> None:
    done = person.types("exec", "-e", "A=1 2", "env")
    assert "A=1 2\n" in done.out
    assert "CLEANROOM_HOST" not in done.out


def test_a_kept_sandbox_runs_the_next_command(person: Person) -> None:
    assert person.types("exec", "--sandbox", "dev", "--keep", "true").status == 0
    assert person.types("exec", "--sandbox", "dev", "echo again").out == "again\n"
    assert len(person.setting.backend.sandboxes) == 1


def test_many_at_once_do_not_mix(person: Person) -> None:
    results: dict[int, tuple[int, str]] = {}

    def one(number: int) -> None:
        done = person.types("exec", f"echo word{number}")
        results[number] = (done.status, done.out)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: (0, f"word{number}\n") for number in range(8)}
