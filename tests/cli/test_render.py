"""What is shown, and in which colour."""

import io
import json

import pytest

from cleanroom.cli.render import Screen, plain, wants_colour
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


def test_a_table_is_aligned_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).table(("ID", "NAME"), [("1", "long\x07"), ("22", "")])
    assert capsys.readouterr().out == "ID  NAME\n1   long\\x07\n22\n"


def test_a_hint_that_is_a_command_is_only_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    Screen({}).error(UserError(Code.CONFLICT, "cannot", "run: cleanroom doctor"))
    assert "  next: cleanroom doctor\n" in capsys.readouterr().err
