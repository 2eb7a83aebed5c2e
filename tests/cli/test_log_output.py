"""What `logs` writes: bytes where they were, times only before lines, gaps said."""

import base64
import os

import pytest

from cleanroom.cli.log_output import LogOutput
from cleanroom.cli.render import Screen
from cleanroom.client.reply import Reply


def shown(
    capfd: pytest.CaptureFixture[str], *lines: dict[str, object], timestamps: bool
) -> tuple[str, str]:
    """Return what stood on stdout and stderr."""
    output = LogOutput(Screen({}), timestamps=timestamps)
    for line in lines:
        output.line(Reply.of(line))
    found = capfd.readouterr()
    return found.out, found.err


def said(text: str, when: str = "T", stream: int = 1) -> dict[str, object]:
    """Return an output line."""
    return {"type": "output", "stream": stream, "offset": 0, "text": text, "time": when}


def test_streams_and_gaps_keep_their_places(capfd: pytest.CaptureFixture[str]) -> None:
    odd = base64.b64encode(b"\xff").decode()
    gap: dict[str, object] = {"type": "gap", "stream": 1, "offset": 0, "missing": 7}
    end: dict[str, object] = {"type": "exit"}
    lines = [said("a\n"), said("b\n", stream=2), gap, end]
    assert shown(capfd, *lines, timestamps=False) == (
        "a\n",
        "b\ncleanroom: 7 bytes are no longer kept\n",
    )
    raw: dict[str, object] = {"type": "output", "stream": 1, "offset": 0, "base64": odd}
    assert shown(capfd, raw, timestamps=False)[0].encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\nb\n"], "T a\nT b\n"),
        (["a", "b\n", "c"], "T ab\nT c"),
        (["\n\n"], "T \nT \n"),
        (["a\n", "\n", "b"], "T a\nT \nT b"),
    ],
)
def test_a_time_stands_before_each_line_and_nowhere_else(
    capfd: pytest.CaptureFixture[str], pieces: list[str], text: str
) -> None:
    assert shown(capfd, *(said(piece) for piece in pieces), timestamps=True)[0] == text


def test_each_stream_has_its_own_lines(capfd: pytest.CaptureFixture[str]) -> None:
    lines = [said("a", "T1"), said("x\n", "T2", stream=2), said("b\n", "T3")]
    assert shown(capfd, *lines, timestamps=True) == ("T1 ab\n", "T2 x\n")


def test_a_terminal_gets_what_draws_and_no_more(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 1)
    output = LogOutput(Screen({}), timestamps=True)
    hostile = ("\x1b]52;c;", "ZXZpbA==\x07\x1b]0;title\x07", "\x1b[31mred\x1b[?1049h\n")
    for text in hostile:
        output.line(Reply.of(said(text)))
    output.line(Reply.of(said("\x1b]0;kept\x07", stream=2)))
    output.end()
    found = capfd.readouterr()
    assert found.out == "T \x1b[31mred\x1b[?1049h\n\x1b[0m\x1b[?1049l"
    assert found.err == "T \x1b]0;kept\x07"  # a file keeps every byte
