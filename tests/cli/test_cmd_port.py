"""`cleanroom port`: numbers read, asked for, shown."""

import json

import pytest

from cleanroom.cli.cmd_port import port_request
from cleanroom.errors import UsageError
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem

PORTS = "/v1/sandboxes/dev/ports"
PORT = {"port": 3000, "host_port": 8080, "address": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("text", "port", "host_port"),
    [("3000", 3000, 3000), ("3000:8080", 3000, 8080), ("1:0", 1, 0), ("65535", 65535, 65535)],
)
def test_numbers_are_read(text: str, port: int, host_port: int) -> None:
    assert port_request(text) == {"port": port, "host_port": host_port}


@pytest.mark.parametrize(
    "text", ["", "0", "a", "1:", ":1", "1:2:3", "65536", "1:65536", "-1", "٣", "0.0.0.0:80"]
)
def test_what_is_no_port_is_a_wrong_line(text: str) -> None:
    with pytest.raises(UsageError, match="as a port"):
        port_request(text)


def test_it_is_published_listed_and_closed(cli: CommandLine) -> None:
    cli.script.answers[f"POST {PORTS}"] = Answer(PORT, 201)
    assert cli("port", "dev", "3000:8080").out == "127.0.0.1:8080\n"
    assert cli.daemon.sent("POST", PORTS).json() == {"port": 3000, "host_port": 8080}
    cli.script.answers[f"GET {PORTS}"] = Answer({"ports": [PORT]})
    assert cli("port", "dev").out.splitlines()[1].split() == ["3000", "127.0.0.1:8080"]
    assert json.loads(cli("port", "dev", "--json").out)["ports"] == [PORT]
    cli.script.answers[f"DELETE {PORTS}"] = Answer(PORT)
    assert cli("port", "dev", "3000", "--close").out == "127.0.0.1:8080 closed\n"
    assert cli.daemon.requests[-1].target == f"{PORTS}?port=3000"
    assert json.loads(cli("port", "dev", "3000", "--json").out)["host_port"] == 8080
    assert cli("port", "dev", "--close").status == 2


def test_one_that_is_taken_is_said_with_what_to_do(cli: CommandLine) -> None:
    hint = "name another, or any that is free: 3000:0"
    cli.script.answers[f"POST {PORTS}"] = problem("conflict", "something else does", 409, hint=hint)
    done = cli("port", "dev", "3000")
    assert (done.status, hint in done.err) == (1, True)


def test_exec_asks_for_ports(cli: CommandLine) -> None:
    assert cli("exec", "--publish", "3000", "--publish", "80:0", "true").status == 0
    assert cli.daemon.sent("POST", "/v1/runs").json()["options"]["publish"] == [
        {"port": 3000, "host_port": 3000},
        {"port": 80, "host_port": 0},
    ]
    assert cli("exec", "--publish", "x", "true").status == 2
