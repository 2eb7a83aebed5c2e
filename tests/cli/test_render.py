"""What is shown, and in which colour."""

import fcntl
import io
import json
import os
import pty
import struct
import sys
import termios

import pytest

from cleanroom.cli.render import Screen, plain, table_lines, wants_colour
from cleanroom.errors import Code, UserError


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, False, False),
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colour(environ: dict[str, str], terminal: bool, coloured: bool) -> None:  # noqa: FBT001
    stream = Terminal() if terminal else io.StringIO()
    assert wants_colour(stream, environ) is coloured


def test_control_characters_are_shown_not_obeyed() -> None:
    assert plain("a\x1b[31m\r\n\u202eb\x9b") == "a\\x1b[31m\\r\\n\\u202eb\\x9b"
    assert plain("é 日本") == "é 日本"


def test_an_error_says_what_where_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).error(UserError(Code.POLICY_INVALID, "cannot read it", "look at it"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "cleanroom: cannot read it",
        "  next: look at it",
        "  code: policy_invalid (cleanroom explain policy_invalid)",
    ]


def test_colour_is_around_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({"FORCE_COLOR": "1"}).warn("careful")
    assert capsys.readouterr().err == "\x1b[33mcareful\x1b[0m\n"


def test_quiet_leaves_results_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=True)
    screen.say("a")
    screen.warn("b")
    screen.out("result")
    screen.error(UserError(Code.CONFLICT, "cannot"))
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert err.startswith("cleanroom: cannot\n")


def test_json_has_its_version_first(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).json({"a": "é"})
    text = capsys.readouterr().out
    assert text == '{"version": 1, "a": "é"}\n'
    assert json.loads(text)["version"] == 1
    Screen({}).json({"version": 3, "a": 1})
    assert capsys.readouterr().out == '{"version": 1, "a": 1}\n'


def test_a_table_is_aligned_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).table(("ID", "NAME"), [("1", "long\x07"), ("22", "")])
    assert capsys.readouterr().out == "ID  NAME\n1   long\\x07\n22\n"


ROWS = [("sbx_0123456789", "dev", "/home/a/long/way/down"), ("sbx_1", "-", "npm run a-long-one")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (0, ["ID              NAME  WHAT", f"{ROWS[0][0]}  dev   {ROWS[0][2]}", "…"]),
        (43, ["ID              NAME  WHAT", f"{ROWS[0][0]}  dev   {ROWS[0][2]}", "…"]),
        (36, ["ID              NAME  WHAT", f"{ROWS[0][0]}  dev   …long/way/down", "…"]),
        (30, ["ID    sbx_0123456789", "NAME  dev", "WHAT  /home/a/long/way/down", "", "…"]),
    ],
)
def test_a_table_fits_the_terminal_and_never_cuts_an_id(columns: int, expected: list[str]) -> None:
    lines = table_lines(("ID", "NAME", "WHAT"), ROWS, columns)
    assert lines[: len(expected) - 1] == expected[:-1]
    if columns > 30:
        assert max(map(len, lines)) <= columns
    if columns == 36:
        assert lines[2] == "sbx_1           -     npm run a-lon…"


def test_an_empty_table_is_its_heads_also_where_it_is_narrow() -> None:
    assert table_lines(("ID", "NAME"), [], 80) == ["ID  NAME"]
    assert table_lines(("ID", "NAME"), [], 3) == []


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with open(end, "w") as terminal:  # noqa: PTH123 -- a descriptor
        monkeypatch.setattr(sys, "stdout", terminal)
        assert Screen({}).columns() == 40
    os.close(keyboard)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert Screen({}).columns() == 0


def test_a_hint_that_is_a_command_is_only_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).error(UserError(Code.CONFLICT, "cannot", "run: cleanroom doctor"))
    assert "  next: cleanroom doctor\n" in capsys.readouterr().err


def test_json_holds_no_control_that_a_terminal_acts_on(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).json({"path": "\x1b\x7f\x9b2Jé"})
    shown = capsys.readouterr().out
    assert shown == '{"version": 1, "path": "\\u001b\\u007f\\u009b2Jé"}\n'
    assert json.loads(shown)["path"] == "\x1b\x7f\x9b2Jé"
