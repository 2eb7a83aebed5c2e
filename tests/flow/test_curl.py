"""curl alone, by the published document: create a sandbox, run, read the output, end it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.conftest import Home
from tests.people import Person

Json: TypeAlias = Any  # a document of the API, as json.loads gives it

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
POLICY = "version: 1\nsandbox:\n  network:\n    default: deny\n"


class Curl:
    """Calls operations by their id: method, path and status are those of the document."""

    def __init__(self, person: Person) -> None:
        program = shutil.which("curl")
        assert program
        self._words = (program, "-sS", "--max-time", "20", "--unix-socket", str(person.socket))
        self.operations: dict[str, tuple[str, str, Json]] = {}
        for path, methods in json.loads(DOCUMENT.read_text())["paths"].items():
            for method, operation in methods.items():
                self.operations[operation["operationId"]] = (method.upper(), path, operation)

    def send(self, operation: str, body: Json = None, query: str = "", **names: str) -> bytes:
        """Call an operation; its status must be the one that the document promises first."""
        method, path, described = self.operations[operation]
        url = f"http://cleanroom{path.format(**names)}{query}"
        words = [*self._words, "-X", method, "-w", "\n%{http_code}", url]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        done = subprocess.run(words, capture_output=True, check=True, timeout=25)
        data, _, status = done.stdout.rpartition(b"\n")
        assert status.decode() in described["responses"], (status, data)
        assert status.startswith(b"2"), (status, data)
        return data

    def ask(self, operation: str, body: Json = None, query: str = "", **names: str) -> Json:
        """Call an operation that answers with a document."""
        return json.loads(self.send(operation, body, query, **names))

    def lines(self, operation: str, query: str = "", **names: str) -> list[Json]:
        """Call an operation that answers with lines."""
        return [
            json.loads(line) for line in self.send(operation, None, query, **names).splitlines()
        ]


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody with a daemon, who has no client of ours."""
    assert programs.is_dir()
    someone = Person(home)
    with someone.serving():
        yield someone


def test_curl_alone_creates_runs_reads_and_ends(person: Person) -> None:
    (person.work / "file").write_text("from the host\n")
    curl = Curl(person)
    policy = {"path": "cleanroom.yaml", "text": POLICY}
    made = curl.ask("create_sandbox", {"workspace": str(person.work), "policy": policy})
    assert made["state"] == "ready"
    sandbox = made["id"]

    command = ["cat file; getent hosts denied.example || echo refused >&2; exit 7"]
    options = {"detach": True}
    started = curl.ask(
        "create_execution", {"command": command, "options": options}, sandbox_id=sandbox
    )
    names = {"sandbox_id": sandbox, "execution_id": started["id"]}
    *output, last = curl.lines("execution_output", "?follow=true", **names)
    said = "".join(line["text"] for line in output if line["type"] == "output")
    assert "from the host\n" in said
    assert "refused\n" in said
    assert last["type"] == "exit"
    assert last["execution"]["exit_code"] == 7
    assert [denial["name"] for denial in last["run"]["denied"]] == ["denied.example"]
    assert curl.ask("get_execution", **names)["exit_code"] == 7

    assert curl.ask("stop_sandbox", sandbox_id=sandbox)["state"] == "stopped"
    assert curl.ask("get_sandbox", sandbox_id=sandbox)["state"] == "stopped"
    assert curl.ask("list_sandboxes")["sandboxes"] == []
    assert curl.ask("verify_audit")["ok"]


def test_curl_feeds_standard_input(person: Person) -> None:
    curl = Curl(person)
    body = {"workspace": str(person.work), "policy": {"path": "cleanroom.yaml", "text": POLICY}}
    sandbox = curl.ask("create_sandbox", body)["id"]
    options = {"detach": True, "stdin": True}
    started = curl.ask(
        "create_execution", {"command": ["cat"], "options": options}, sandbox_id=sandbox
    )
    names = {"sandbox_id": sandbox, "execution_id": started["id"]}
    curl.send("execution_stdin", "typed", "?eof=true", **names)
    *output, last = curl.lines("execution_output", "?follow=true", **names)
    assert [line["text"] for line in output] == ['"typed"']
    assert last["execution"]["exit_code"] == 0


def test_the_daemon_serves_the_document_that_is_published(person: Person) -> None:
    served = Curl(person).send("openapi")
    assert json.loads(served) == json.loads(DOCUMENT.read_text())


def test_what_the_document_does_not_name_is_refused(person: Person) -> None:
    curl = Curl(person)
    curl.operations["invented"] = ("GET", "/v1/invented", {"responses": {"404": {}}})
    with pytest.raises(AssertionError, match="404"):
        curl.send("invented")
