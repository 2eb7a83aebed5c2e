"""`cleanroom cache warm`: what it starts, what it makes of what the program inside says."""

import json
import os
import sys
import threading
from collections.abc import Callable

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.typist import PATIENCE_S, Typist
from tests.client.scripted import Answer, Attached, Peer

PIN = {"name": "a", "version": "1", "file": "", "url": "", "digests": []}
PINNED = {"registries": [{"manager": "npm", "hosts": ["r.test"], "artifacts": [PIN], "held": True}]}
ASKED = "POST /v1/policy/artifacts"


def inside(*lines: object, then: Callable[[Peer], None] | None = None) -> Attached:
    """Return an execution that reads its input and says these lines."""

    def attached(peer: Peer) -> None:
        wanted = json.loads(peer.stdin())
        assert wanted == {**PINNED, "every": False}
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        data = text.encode()
        peer.output(1, data[:7])  # lines come in pieces
        peer.output(1, data[7:])
        peer.output(2, b"said \x1b[2J\n")
        if then is None:
            peer.exit(exit_code=0)
        else:
            then(peer)

    return attached


def test_everything_came(cli: CommandLine) -> None:
    cli.script.answers[ASKED] = Answer(PINNED)
    fetched = {"fetched": "a 1", "bytes": 3 << 20}
    cli.script.attached = inside({"packages": 1}, fetched, {"through": "a"}, {"done": True})
    done = cli("cache", "warm")
    assert (done.status, done.out) == (0, "1 package: 1 file, 3.0 MiB\n")
    assert done.err == "said \\x1b[2J\n"
    body = cli.daemon.sent("POST", "/v1/runs").json()
    assert body["command"][:3] == ["python3", "-I", "-c"]
    assert body["options"]["stdin"] is True
    assert body["workspace"] == str(cli.folder)


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_on_a_terminal_one_line_counts_what_is_through(cli: CommandLine, term: str) -> None:
    seen = threading.Event()

    def waits(peer: Peer) -> None:
        assert seen.wait(PATIENCE_S)
        peer.output(1, b'{"through": "b"}\n{"done": true}\n')
        peer.exit(exit_code=0)

    cli.script.answers[ASKED] = Answer(PINNED)
    lines = ({"packages": 2}, {"fetched": "a 1", "bytes": 3 << 20}, {"through": "a"})
    cli.script.attached = inside(*lines, then=waits)
    environ = {**os.environ, "TERM": term, "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-P", "-m", "cleanroom", "cache", "warm"]
    person = Typist(words, environ, cli.folder)
    try:
        if term == "xterm":
            person.see(b"\r\x1b[K1 of 2 packages, 3.0 MiB")
        seen.set()
        assert person.end() == 0
    finally:
        seen.set()
        person.close()
    assert (b" of 2 packages" in person.shown) is (term == "xterm")
    assert person.shown.endswith(b"2 packages: 1 file, 3.0 MiB\r\n")
    if term == "xterm":
        assert b"2 of 2 packages, 3.0 MiB\r\x1b[K" in person.shown  # gone when it is over


def test_failures_are_named_and_counted(cli: CommandLine) -> None:
    cli.script.answers[ASKED] = Answer(PINNED)
    failed = [{"failed": f"p{number}\x1b", "why": "no"} for number in range(22)]
    cli.script.attached = inside("no JSON", "[]", *failed, {"done": True})
    done = cli("cache", "warm")
    assert done.status == 1
    assert "cleanroom: not fetched: p0\\x1b: no\n" in done.err
    assert "cleanroom: not fetched: 2 more\n" in done.err
    found = json.loads(cli("cache", "warm", "--json").out)
    assert (found["files"], found["bytes"], len(found["failed"])) == (0, 0, 22)


def test_what_ends_early_is_no_success(cli: CommandLine) -> None:
    cli.script.answers[ASKED] = Answer(PINNED)
    cli.script.attached = inside({"packages": 1})
    assert cli("cache", "warm").status == 1

    def fails(peer: Peer) -> None:
        failure = {"code": "timed_out", "reason": "it took too long"}
        denied = [{"name": "r.test", "artifact": "a 1", "count": 1}]
        peer.exit(state="failed", failure=failure, denied=denied, notes=["a note"])

    cli.script.attached = inside({"done": True}, then=fails)
    done = cli("cache", "warm")
    assert done.status == 1
    assert "cleanroom: a note\n" in done.err
    assert "1 package denied (a 1)" in done.err
    assert "it took too long" in done.err
    cli.script.attached = inside(then=lambda peer: peer.exit(exit_code=127))
    assert "there is no python3 inside" in cli("cache", "warm").err


def test_where_nothing_is_pinned_nothing_is_started(cli: CommandLine) -> None:
    cli.script.answers[ASKED] = Answer({"registries": []})
    done = cli("cache", "warm")
    assert done.status == 0
    assert "there is nothing to fetch" in done.err
    other = {"manager": "deb", "hosts": ["r.test"], "artifacts": [PIN]}
    cli.script.answers[ASKED] = Answer({"registries": [other]})
    assert "deb is not warmed yet: skipped" in cli("cache", "warm").err


@pytest.mark.parametrize("artifacts", [[PIN], []])
def test_git_is_warmed_where_lock_files_hold_it(cli: CommandLine, artifacts: list[object]) -> None:
    git = {"manager": "git", "hosts": ["g.test"], "artifacts": artifacts, "held": False}
    cli.script.answers[ASKED] = Answer({"registries": [git]})
    done = cli("cache", "warm")
    assert done.status == 0
    assert "there is nothing to fetch" in done.err
    said = "git is warmed where lockfile_enforcement has mode: deny_unknown: skipped"
    assert (said in done.err) is bool(artifacts)
    assert not any(request.target == "/v1/runs" for request in cli.daemon.requests)
