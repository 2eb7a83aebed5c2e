"""`sandboxes files`: a table in which no name does anything."""

import json

from tests.cli.conftest import CommandLine
from tests.cli.test_cmd_cp import FILES, inside
from tests.client.scripted import Answer


def test_a_listing_is_a_table(cli: CommandLine) -> None:
    entry = {"name": "a\x1b[2J", "kind": "file", "size": 3, "mode": 0o644, "modified": 1.5}
    link = {**entry, "name": "l", "kind": "link", "target": "t\x07", "modified": 1e300}
    body = {"path": "/w", "kind": "folder", "entries": [entry, link], "truncated": True}
    cli.script.answers[f"GET {FILES}"] = Answer(body)
    done = cli("sandboxes", "files", "dev", "src")
    lines = done.out.splitlines()
    assert lines[1].split() == ["-rw-r--r--", "3", "1970-01-01T00:00:01Z", "a\\x1b[2J"]
    assert lines[2].split() == ["lrw-r--r--", "3", "-", "l", "->", "t\\x07"]
    assert "more than are shown" in done.err
    assert cli.daemon.requests[-1].target == f"{FILES}?path=src"
    assert json.loads(cli("sandboxes", "files", "dev", "--json").out)["kind"] == "folder"
    inside(cli, "/w", "missing")
    assert cli("sandboxes", "files", "dev", "src").status == 1
