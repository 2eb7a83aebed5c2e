"""The figures, one function each: what it takes, beside a peer where there is one.

In: a running Daemon. Out: a Figure with its numbers, its target and whether it holds.
Never: a network beyond this machine.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.daemon import Daemon
from bench.measure import children, holdings, milliseconds, resident_bytes, spread

MIB = 1024 * 1024
POLICY = "version: 1\nsandbox:\n  network:\n    default: deny\n"


@dataclass(frozen=True)
class Figure:
    """One row of the table; `holds` None if the target is not a number on its own."""

    name: str
    target: str
    values: dict[str, Any] = field(default_factory=dict)
    holds: bool | None = None


def whole_process(daemon: Daemon) -> Figure:
    """`cleanroom exec -- true` as a person types it, daemon warm; peer: bwrap and bare Python."""
    work = daemon.repository()
    command = [str(daemon.cleanroom), "exec", "--quiet", "--", "true"]

    def run() -> None:
        subprocess.run(
            command, cwd=work, env=daemon.environment, check=True,
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    bwrap = shutil.which("bwrap") or "/usr/bin/bwrap"
    python = daemon.cleanroom.parent / "python"
    uids = [] if Path("/proc/self/uid_map").read_text().split()[0] != "0" else ["--uid", "1000"]
    bare = [bwrap, "--ro-bind", "/", "/", "--unshare-all", *uids, "--", "/usr/bin/true"]

    def peer() -> None:
        subprocess.run([str(python), "-c", "pass"], check=True)
        subprocess.run(bare, check=True)

    ours, theirs = spread(milliseconds(run, 40)), spread(milliseconds(peer, 40))
    ratio = round(ours["p50_ms"] / theirs["p50_ms"], 2)
    holds = ours["p50_ms"] <= 100 and ratio <= 4
    values = {"cleanroom": ours, "bwrap + python": theirs, "ratio": ratio}
    return Figure("exec -- true, whole process", "p50 <= 100 ms and <= 4 x peer", values, holds)


def create_to_output(daemon: Daemon) -> Figure:
    """A new sandbox until the first byte of its first command, as the API sees it."""
    work = daemon.repository()
    request = {
        "workspace": str(work),
        "command": ["/bin/echo", "ready"],
        "policy": {"path": "cleanroom.yaml", "text": POLICY},
        "options": {"detach": True},
    }

    def run() -> None:
        made = daemon.call("POST", "/v1/runs", request)
        daemon.first_output(made["sandbox_id"], made["execution_id"])

    values = spread(milliseconds(run, 60))
    return Figure("create to first output", "p50 <= 30 ms", values, values["p50_ms"] <= 30)


def _sandbox(daemon: Daemon, work: Path) -> str:
    policy = {"path": "cleanroom.yaml", "text": POLICY}
    made = daemon.call("POST", "/v1/sandboxes", {"workspace": str(work), "policy": policy})
    return str(made["id"])


def exec_in_live(daemon: Daemon) -> Figure:
    """One more command in a living sandbox until its first byte."""
    sandbox = _sandbox(daemon, daemon.repository())

    def run() -> None:
        path = f"/v1/sandboxes/{sandbox}/executions"
        made = daemon.call("POST", path, {"command": ["/bin/echo", "ready"]})
        daemon.first_output(sandbox, made["id"])

    values = spread(milliseconds(run, 80))
    daemon.call("POST", f"/v1/sandboxes/{sandbox}/stop")
    return Figure("exec in a live sandbox", "p50 <= 10 ms", values, values["p50_ms"] <= 10)


def memory(daemon: Daemon) -> Figure:
    """Proportional memory of daemon and gateway, idle and for each of ten living sandboxes."""
    idle = resident_bytes(children(daemon.pid))
    work = daemon.repository()
    sandboxes = [_sandbox(daemon, work) for _ in range(10)]
    each = (resident_bytes(children(daemon.pid)) - idle) / len(sandboxes)
    for sandbox in sandboxes:
        daemon.call("POST", f"/v1/sandboxes/{sandbox}/stop")
    values = {"idle_mib": round(idle / MIB, 1), "each_mib": round(each / MIB, 2)}
    holds = idle <= 120 * MIB and each <= 12 * MIB
    return Figure("memory, idle and per sandbox", "<= 120 MiB and <= 12 MiB", values, holds)


def churn(daemon: Daemon, rounds: int = 500) -> Figure:
    """Create and destroy in a row: nothing may grow but the log of it."""
    work = daemon.repository()
    runtime = daemon.folder / "r"

    def once() -> None:
        daemon.call("POST", f"/v1/sandboxes/{_sandbox(daemon, work)}/stop")

    for _ in range(50):
        once()
    before, began = holdings(daemon.pid, runtime), time.monotonic()
    for _ in range(rounds):
        once()
    rate = rounds / (time.monotonic() - began)
    after = holdings(daemon.pid, runtime)
    growth = {name: after[name] - before[name] for name in before}
    slope = growth.pop("resident_bytes") / 1024 / rounds
    values = {"rounds": rounds, "per_second": round(rate, 1), "rss_kib_each": round(slope, 2)}
    holds = all(value <= 0 for value in growth.values()) and slope <= 20
    target = "no growth; RSS <= 20 KiB each"
    return Figure("create + destroy in a row", target, values | {"growth": growth}, holds)


def workspace(daemon: Daemon, files: int = 50_000) -> Figure:
    """A big workspace against an empty one, after the scan is cached."""
    empty, big = daemon.repository(), daemon.repository()
    for folder in range(files // 100):
        place = big / f"d{folder}"
        place.mkdir()
        for number in range(100):
            (place / f"f{number}").write_bytes(b"x")

    def take(work: Path) -> dict[str, float]:
        request = {
            "workspace": str(work),
            "command": ["/bin/echo"],
            "policy": {"path": "cleanroom.yaml", "text": POLICY},
            "options": {"detach": True},
        }

        def run() -> None:
            made = daemon.call("POST", "/v1/runs", request)
            daemon.first_output(made["sandbox_id"], made["execution_id"])

        return spread(milliseconds(run, 20))

    os.sync()  # else the end of each sandbox waits for the disk to write these files
    small, large = take(empty), take(big)
    more = round(large["p50_ms"] - small["p50_ms"], 2)
    values = {"empty": small, f"{files} files": large, "more_ms": more}
    return Figure("workspace of 50,000 files", "<= 15 ms over an empty one", values, more <= 15)


def npm_without_policy(daemon: Daemon) -> Figure:
    """How long `npm install` takes to fail, with its reason, where nothing is allowed."""
    work = daemon.repository()
    (work / "package.json").write_text('{"name": "x", "dependencies": {"semver": "7"}}')
    if shutil.which("npm") is None:
        return Figure("npm install without a policy", "fails in < 5 s", {"skipped": "no npm"})
    began = time.monotonic()
    done = subprocess.run(
        [str(daemon.cleanroom), "exec", "--", "npm install"], cwd=work, check=False,
        env=daemon.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    taken = time.monotonic() - began
    told = "host_not_allowed" in done.stderr or "no rule" in done.stderr
    values = {"seconds": round(taken, 2), "status": done.returncode, "reason_told": told}
    holds = taken < 5 and done.returncode != 0 and told
    return Figure("npm install without a policy", "fails with its reason in < 5 s", values, holds)


CASES = (
    whole_process,
    create_to_output,
    exec_in_live,
    memory,
    workspace,
    npm_without_policy,
    churn,
)


def complain(text: str) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"{text}\n")
