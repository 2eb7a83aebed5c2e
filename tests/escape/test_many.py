"""Many at once: right statuses, no mixed output, and nothing left of clients that are killed."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.control import Served, somebody, until
from tests.people import descendants

pytestmark = [pytest.mark.escape, pytest.mark.timeout(400)]

LINES = 200
# Each line in two writes, so that what is mixed would show; the last word of a line is its number.
TALK = "i=0; while [ $i -lt {lines} ]; do printf '{name} '; echo $i; i=$((i+1)); done; exit {code}"
LONG_S = 200  # for all of them together, on a busy machine


@pytest.fixture
def served(programs: Path) -> Iterator[Served]:
    """A daemon of its own: what is left is counted."""
    assert programs.is_dir()
    with somebody() as one:
        yield one


def talk_at_once(served: Served, flags: list[list[str]]) -> None:
    """Start one client for each list of flags; every one says its own lines and status."""
    clients = [
        served.person.starts(
            "exec",
            *each,
            "--",
            "sh",
            "-c",
            TALK.format(lines=LINES, name=f"n{number}", code=number),
        )
        for number, each in enumerate(flags)
    ]
    try:
        for number, client in enumerate(clients):
            out, _ = client.communicate(timeout=LONG_S)
            assert out == "".join(f"n{number} {line}\n" for line in range(LINES))
            assert client.returncode == number
    finally:
        for client in clients:
            client.kill()
            client.wait()


def test_20_sandboxes_at_once_each_with_its_own_output_and_status(served: Served) -> None:
    talk_at_once(served, [[] for _ in range(20)])
    listed = json.loads(served.person.types("sandboxes", "list", "--all", "--json").stdout)
    assert len(listed["sandboxes"]) == 20
    assert {each["state"] for each in listed["sandboxes"]} == {"stopped"}


def test_32_clients_in_one_sandbox_mix_nothing(served: Served) -> None:
    assert served.person.types("sandboxes", "create", "dev").returncode == 0
    talk_at_once(served, [["--sandbox", "dev"] for _ in range(32)])
    path = "/v1/sandboxes/dev/executions"
    ended = served.api.ask("GET", path)[1]["executions"]
    assert sorted(each["exit_code"] for each in ended) == list(range(32))


def helpers(served: Served, words: str) -> list[str]:
    """Return the command lines of helpers inside."""
    return [line for line in descendants(served.daemon).values() if words in line]


def test_a_client_that_is_killed_while_it_copies_leaves_no_helper(served: Served) -> None:
    person = served.person
    assert person.types("sandboxes", "create", "dev").returncode == 0
    made = person.types("exec", "--sandbox", "dev", "--", "head -c 30000000 /dev/urandom > big")
    assert made.returncode == 0, made.stderr
    client = person.starts("cp", "dev:big", "-")  # nobody reads it, so it stands still
    assert client.stdout
    try:
        assert os.read(client.stdout.fileno(), 1000)
        assert helpers(served, "--create")
    finally:
        client.kill()
        client.stdout.close()
        client.wait()
    until(lambda: not helpers(served, "--create"), 60, "the helper is gone")
    assert person.types("exec", "--sandbox", "dev", "--", "exit 3").returncode == 3


def test_a_connection_that_ends_leaves_no_helper(served: Served) -> None:
    person = served.person
    assert person.types("sandboxes", "create", "dev").returncode == 0
    ids = person.types(
        "exec", "-d", "--sandbox", "dev", "--publish", "7000:0", "--",
        "python3", "-ISuc",
        "import socket; s = socket.create_server(('127.0.0.1', 7000)); print('on');"
        " kept = [s.accept() for _ in range(3)]; print('all'); s.accept()",
    ).stdout.split()  # fmt: skip
    until(lambda: person.types("logs", *ids).stdout == "on\n", 60, "it listens")
    number = json.loads(person.types("port", "dev", "--json").stdout)["ports"][0]["host_port"]
    held = [socket.create_connection(("127.0.0.1", number), 60) for _ in range(3)]
    until(lambda: len(helpers(served, "--connect")) == 3, 60, "each has its helper")
    until(lambda: person.types("logs", *ids).stdout == "on\nall\n", 60, "all are accepted")
    person.types("stop", "dev")
    until(lambda: not helpers(served, "--connect"), 60, "the helpers are gone")
    for each in held:
        assert each.recv(1) == b""
        each.close()


def test_helpers_have_room_beside_64_commands(served: Served) -> None:
    sandbox = served.api.sandbox()
    for _ in range(64):
        status, made = served.api.start(sandbox, "sleep 1000", detach=True)
        assert status == 201, made
    status, refused = served.api.start(sandbox, "true")
    assert (status, refused["code"]) == (429, "resource_limit")
    listed = served.person.types("sandboxes", "files", sandbox)
    assert listed.returncode == 0, listed.stderr
    assert served.person.types("sandboxes", "rm", "--force", sandbox).returncode == 0
