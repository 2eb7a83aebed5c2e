"""`cleanroom cache`, against a scripted daemon; the real store is in tests/daemon/handlers."""

import json

import pytest

from cleanroom.cli.cmd_cache import shown, size
from cleanroom.errors import UsageError
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

INFO = {"folder": "/c", "entries": 3, "files": 2, "bytes": 1536, "limit": 4096}


def test_info_is_a_list_of_fields(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/cache"] = Answer(INFO)
    assert "entries  3\n" in cli("cache", "info").out
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


def test_sizes_are_read_and_written() -> None:
    assert [size(text) for text in ("0", "7", "500MiB", "2TiB")] == [0, 7, 500 << 20, 2 << 40]
    for text in ("", "5GB", "-1", "1.5GiB", "5 GiB", "٣"):
        with pytest.raises(UsageError, match="as a size"):
            size(text)
    assert [shown(count) for count in (0, 1023, 1536, 3 << 40)] == [
        "0 B", "1023 B", "1.5 KiB", "3.0 TiB"
    ]  # fmt: skip
