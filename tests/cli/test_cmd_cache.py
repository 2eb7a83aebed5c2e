"""`cleanroom cache`, against a scripted daemon; the real store is in tests/daemon/handlers."""

import json

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

INFO = {"folder": "/c", "entries": 3, "files": 2, "bytes": 1536, "git_bytes": 512, "limit": 4096}


def test_info_is_a_list_of_fields(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/cache"] = Answer(INFO)
    shown = cli("cache", "info").out
    assert "entries    3\n" in shown
    assert "bytes      1.5 KiB\ngit_bytes  512 B\nlimit      4.0 KiB\n" in shown
    assert json.loads(cli("cache", "info", "--json").out)["limit"] == 4096


def test_verify_names_what_was_damaged(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/cache/verify"] = Answer({"right": 1, "damaged": []})
    done = cli("cache", "verify")
    assert (done.status, done.out) == (0, "1 file verified\n")
    cli.script.answers["POST /v1/cache/verify"] = Answer({"right": 2, "damaged": ["ab"]})
    done = cli("cache", "verify")
    assert (done.status, done.out) == (1, "2 files verified\ndamaged, removed: sha256:ab\n")
    assert cli("cache", "verify", "--json").status == 1


def test_prune_says_what_went_and_what_is_left(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/cache/prune"] = Answer({"removed_bytes": 1 << 30, "left": INFO})
    done = cli("cache", "prune", "--keep", "5GiB")
    assert (done.status, done.out) == (0, "removed 1.0 GiB, left 1.5 KiB in 2 files\n")
    assert cli.daemon.sent("POST", "/v1/cache/prune").json() == {"keep_bytes": 5 << 30}
    assert json.loads(cli("cache", "prune", "--json").out)["removed_bytes"] == 1 << 30
    assert cli.daemon.requests[-1].json() == {}
