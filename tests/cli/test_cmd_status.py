"""`cleanroom status`: one run, by default the last."""

import json

from tests.cli.conftest import CommandLine
from tests.client.scripted import RUN, Answer

ENDED = {
    **RUN,
    "command": ["echo", "\x1b[2J"],
    "state": "failed",
    "exit_code": None,
    "finished_at": "T2",
    "failure": {"code": "timed_out", "reason": "cannot go on"},
    "denied": [{"name": "evil.test", "count": 2}],
    "changed_files": 1,
    "cache": {"hits": 3, "misses": 1, "stale": 1, "saved_bytes": 1536, "fetched_bytes": 7},
    "timings": {"total_ms": 12.25, "rootfs_ms": None},
}


def test_the_last_run_is_shown(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/last"] = Answer(ENDED)
    out = cli("status").out
    assert "failure    timed_out: cannot go on" in out
    assert "denied     2 connections denied (1 host)" in out
    assert "changed    1 file" in out
    assert "cache      3 hits, 1 miss, 1 stale, 1.5 KiB not fetched again\n" in out
    assert "12.2 ms" in out
    assert "exit code  -" in out
    assert "\x1b" not in out


def test_a_run_can_be_named_and_its_record_printed(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/run_1"] = Answer(RUN)
    assert json.loads(cli("status", "--run-id", "run_1", "--json").out) == {"version": 1, **RUN}
    assert "exit code  -" in cli("status", "--run-id", "run_1").out
