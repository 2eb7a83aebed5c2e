"""What a call costs beside python itself. Processor time, the least of several: load adds to it."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import CommandLine

BUDGET_S = 0.060  # measured: 0.028 for exec, 0.020 for version, 0.009 for python alone
TRIES = 12

# What stack.md of the design keeps out of this path, and what crept in once.
SLOW = frozenset(
    (
        *("asyncio", "http", "http.client", "pydantic", "rich", "httpx", "aiohttp", "yaml"),
        *("importlib.metadata", "msgspec", "sqlite3", "subprocess", "logging", "dataclasses"),
        *(
            "inspect",
            "pathlib",
            "shutil",
            "tempfile",
            "ssl",
            "email",
            "difflib",
            "argparse",
            "socket",
        ),
        *("cleanroom.api.types", "cleanroom.policy", "cleanroom.daemon"),
    )
)


def cost_s(words: list[str], environ: dict[str, str]) -> float:
    """Return the least processor time of several runs."""
    least = 60.0
    for _ in range(TRIES):
        pid = os.posix_spawn(sys.executable, [sys.executable, *words], environ)
        _, status, usage = os.wait4(pid, 0)
        assert status == 0
        least = min(least, usage.ru_utime + usage.ru_stime)
    return least


@pytest.mark.parametrize("words", [("exec", "-q", "true"), ("version",)], ids=["exec", "version"])
def test_a_call_is_cheap(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cost_s(["-m", "cleanroom", *words], dict(os.environ)) < BUDGET_S


def test_a_whole_exec_loads_nothing_slow(cli: CommandLine) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cleanroom", "exec", "true"],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "cleanroom.client.attach" in loaded
    assert not loaded & SLOW
