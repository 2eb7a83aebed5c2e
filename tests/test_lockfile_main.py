"""The reader of lock files, started the way nobody should start it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cleanroom.backends.process import memory_file
from cleanroom.lockfile.lines import Outcomes, pack
from cleanroom.lockfile.model import Reading

BOUNDS = ("5", str(512 << 20), str(1 << 20))
WHO = ("1879048190", "1879048190") if os.geteuid() == 0 else ()


def run(data: bytes, *ids: str, go: bytes = b"\n") -> "subprocess.CompletedProcess[bytes]":
    """Run it to its end."""
    with memory_file(data) as file:
        texts = file.fileno()
        command = [sys.executable, "-m", "cleanroom.lockfile_main", str(texts), *BOUNDS, *ids]
        return subprocess.run(
            command, input=go, capture_output=True, timeout=60, check=False, pass_fds=(texts,)
        )


def test_it_reads_what_it_is_given() -> None:
    done = run(pack({"go.sum": f"a.test/x v1.0.0 h1:{'A' * 43}=\n"}), *WHO)
    assert (done.returncode, done.stderr) == (0, b"")
    outcomes = Outcomes(("go.sum",))
    outcomes.take(done.stdout.splitlines())
    reading = outcomes.found["go.sum"]
    assert isinstance(reading, Reading)
    assert [pin.name for pin in reading.pins] == ["a.test/x"]


def test_without_a_word_that_the_texts_are_there_it_reads_nothing() -> None:
    done = run(pack({"go.sum": ""}), *WHO, go=b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_is_no_message_is_its_end() -> None:
    done = run(b"nothing", *WHO)
    assert done.returncode == 1
    assert done.stdout == b""


def test_root_without_an_identity_to_become_is_refused() -> None:
    done = run(pack({}))
    if os.geteuid() == 0:
        assert done.returncode == 1
        assert b"without a uid" in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(("before", "seconds"), [("unlimited", "5"), ("3", "3")])
def test_it_bounds_itself_before_it_is_somebody_else_and_never_to_more(
    before: str, seconds: str
) -> None:
    """Whoever started it may have no right to, once it is another user."""
    with memory_file(pack({})) as file:
        texts = file.fileno()
        argv = [sys.executable, "-m", "cleanroom.lockfile_main", str(texts), *BOUNDS, *WHO]
        shell = ["/bin/sh", "-c", f'ulimit -t {before}; exec "$@"', "sh", *argv]
        with subprocess.Popen(  # noqa: TID251 -- a test's own process
            shell, stdin=subprocess.PIPE, pass_fds=(texts,)
        ) as reader:
            wanted = ["cpu", "time", seconds, seconds], ["file", "size", BOUNDS[2], BOUNDS[2]]
            limits: list[list[str]] = []
            end = time.monotonic() + 60
            while not all(each in limits for each in wanted) and time.monotonic() < end:
                said = Path(f"/proc/{reader.pid}/limits").read_text()
                limits = [line.split()[1:5] for line in said.splitlines()]
                time.sleep(0.01)
            assert all(each in limits for each in wanted), limits
            reader.communicate(b"")
    assert reader.returncode == 0
