"""Which of the caller's streams take part; the whole is in tests/flow/test_terminal.py."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.cli.attached import exec_streams, how_back, stdin_to_forward
from cleanroom.errors import UsageError


@contextmanager
def input_from(descriptor: int) -> Iterator[None]:
    """Make a descriptor the standard input."""
    before = os.dup(0)
    os.dup2(descriptor, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def flags(**said: object) -> argparse.Namespace:
    usual = {"detach_keys": "none", "detach": False, "tty": False, "interactive": False}
    return argparse.Namespace(**{**usual, "json": False, **said})


def test_a_pipe_is_sent_and_a_device_is_not(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with input_from(reader):
        assert stdin_to_forward() == 0
        assert exec_streams(flags()).stdin == 0
    with Path("/dev/null").open() as null, input_from(null.fileno()):
        assert stdin_to_forward() is None
        assert exec_streams(flags(interactive=True)).stdin is None
    os.close(reader)
    os.close(writer)


def test_a_terminal_is_sent_with_i_only() -> None:
    person, end = os.openpty()
    with input_from(end):
        assert exec_streams(flags()).stdin is None
        assert exec_streams(flags(interactive=True)).stdin == 0
    os.close(person)
    os.close(end)


def test_detached_nothing_is_sent_and_no_terminal_is_needed() -> None:
    assert exec_streams(flags(detach=True, tty=True, interactive=True)) == (None, None)


@pytest.mark.parametrize("said", [{}, {"interactive": True}, {"json": True}])
def test_a_terminal_is_not_promised_where_there_is_none(said: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot give the command a terminal"):
        exec_streams(flags(tty=True, **said))


def test_who_leaves_is_told_the_way_back() -> None:
    assert how_back("sbx_1", "exe_1", canceled=False).endswith("Back: cleanroom attach sbx_1 exe_1")
    assert "being canceled" in how_back("sbx_1", "exe_1", canceled=True)
