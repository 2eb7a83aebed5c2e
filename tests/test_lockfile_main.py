"""The reader of lock files, started the way nobody should start it."""

import os
import subprocess
import sys

from cleanroom.backends.process import memory_file
from cleanroom.lockfile.lines import Outcomes, pack
from cleanroom.lockfile.model import Reading

WHO = ("1879048190", "1879048190") if os.geteuid() == 0 else ()


def run(data: bytes, *ids: str, go: bytes = b"\n") -> "subprocess.CompletedProcess[bytes]":
    """Run it to its end."""
    with memory_file(data) as file:
        texts = file.fileno()
        command = [sys.executable, "-m", "cleanroom.lockfile_main", str(texts), *ids]
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
