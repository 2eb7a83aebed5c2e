"""What a person waits for beside a running command: attach, detach, logs, diff.

In: a running Daemon. Out: Figures. Never: a network, or a pause that is counted as waiting.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.cases import POLICY, Figure
from bench.daemon import Daemon
from bench.measure import milliseconds, percentile, spread
from cleanroom.client import frames
from cleanroom.client.blocking import Connection, Upgraded
from cleanroom.client.calls import Call

LINES, EVERY_S = 400, 0.005
CHATTER = (
    "import sys, time\n"
    f"for _ in range({LINES}):\n"
    "    print(time.monotonic(), flush=True)\n"
    f"    time.sleep({EVERY_S})\n"
)
TOUCH = 'for d in $(seq 0 9); do for f in $(seq 0 99); do echo new > "d$d/f$f"; done; done'


def _start(daemon: Daemon, work: Path, command: list[str], **options: object) -> tuple[str, str]:
    """Start a command in a sandbox of its own; return the ids of both."""
    policy = {"path": "cleanroom.yaml", "text": POLICY}
    body = {"workspace": str(work), "command": command, "policy": policy, "options": options}
    made = daemon.call("POST", "/v1/runs", body)
    return str(made["sandbox_id"]), str(made["execution_id"])


def attach_round_trip(daemon: Daemon) -> Figure:
    """A byte typed into an attached `cat` until it comes back."""
    ids = _start(daemon, daemon.repository(), ["/bin/cat"], stdin=True)
    path = dict(zip(("sandbox_id", "execution_id"), ids, strict=True))
    with Connection.open(str(daemon.socket)) as connection:
        upgraded = connection.upgrade(Call("attach_execution", path))
        reader = frames.FrameReader()

        def run() -> None:
            upgraded[0].sendall(frames.frame_bytes(frames.BINARY, b"x", frames.LOCAL_MASK))
            _until_output(upgraded, reader)

        values = spread(milliseconds(run, 400))
    daemon.call("POST", f"/v1/sandboxes/{ids[0]}/stop")
    return Figure("attach, round trip", "p50 <= 5 ms", values, values["p50_ms"] <= 5)


def _until_output(upgraded: Upgraded, reader: frames.FrameReader) -> None:
    while data := upgraded[0].recv(65536):
        if any(message.opcode == frames.BINARY for message in reader.feed(data)):
            return
    message = "the daemon closed the connection"
    raise RuntimeError(message)


def detached(daemon: Daemon) -> Figure:
    """`exec -d -- true` as a person types it, beside `exec -- true`, taken in turns."""
    work = daemon.repository()

    def run(*words: str) -> Callable[[], object]:
        command = [str(daemon.cleanroom), "exec", "--quiet", *words, "--", "true"]

        def once() -> None:
            subprocess.run(
                command, cwd=work, env=daemon.environment, check=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

        return once

    taken: dict[str, list[float]] = {"exec": [], "exec -d": []}
    for _ in range(40):
        taken["exec"] += milliseconds(run(), 1, warm=0)
        taken["exec -d"] += milliseconds(run("-d"), 1, warm=0)
    values = {name: spread(sorted(each)) for name, each in taken.items()}
    holds = values["exec -d"]["p50_ms"] <= values["exec"]["p50_ms"]
    return Figure("exec -d -- true, whole process", "<= exec -- true", dict(values), holds)


def log_lag(daemon: Daemon) -> Figure:
    """How old a line is when `logs -f` has written it; the command says when it wrote it."""
    python = "/usr/bin/python3"
    ids = _start(daemon, daemon.repository(), [python, "-c", CHATTER], detach=True)
    lags = []
    with subprocess.Popen(
        [str(daemon.cleanroom), "logs", "-f", *ids], env=daemon.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as follower:  # fmt: skip
        for line in follower.stdout or ():
            lags.append((time.monotonic() - float(line)) * 1000)
    ordered = sorted(lags[LINES // 4 :])  # before, the follower was starting
    values = {
        "p50_ms": round(percentile(ordered, 0.5), 2),
        "p99_ms": round(percentile(ordered, 0.99), 2),
        "lines": len(ordered),
    }
    return Figure("logs -f, age of a line", "p99 <= 20 ms", values, values["p99_ms"] <= 20)


def diff(daemon: Daemon) -> Figure:
    """1,000 changed files in a workspace of 50,000: the change set, and the whole command."""
    work = daemon.repository()
    for folder in range(500):
        place = work / f"d{folder}"
        place.mkdir()
        for number in range(100):
            (place / f"f{number}").write_bytes(b"x\n")
    command = [str(daemon.cleanroom), "exec", "--quiet", "--", TOUCH]
    subprocess.run(command, cwd=work, env=daemon.environment, check=True, stdin=subprocess.DEVNULL)
    found = daemon.call("GET", "/v1/runs/last/changes")
    if len(found["changes"]) != 1000:
        message = f"{len(found['changes'])} files are changed"
        raise RuntimeError(message)

    def whole(form: str) -> Callable[[], object]:
        words = [str(daemon.cleanroom), "diff", form]

        def once() -> None:
            subprocess.run(
                words, cwd=work, env=daemon.environment, check=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

        return once

    values = {
        "change set": spread(milliseconds(lambda: daemon.call("GET", "/v1/runs/last/changes"), 20)),
        "diff --name-only": spread(milliseconds(whole("--name-only"), 20)),
        "diff --patch": spread(milliseconds(whole("--patch"), 20)),
    }
    holds = all(each["p50_ms"] <= 100 for each in values.values())
    return Figure("diff of 1,000 in 50,000 files", "p50 <= 100 ms", dict(values), holds)


def main() -> int:
    """Print these figures alone, of an installed `cleanroom`: python -m bench.executions PATH."""
    for case in (attach_round_trip, detached, log_lag, diff):
        with Daemon(Path(sys.argv[1])) as daemon:
            print(case(daemon))
    return 0


if __name__ == "__main__":
    sys.exit(main())
