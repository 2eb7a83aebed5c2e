"""What a person sees whose terminal is the command's."""

import pytest

from cleanroom.cli.render import Screen
from cleanroom.cli.terminal_report import SHOWN_AGAIN, TerminalReport
from cleanroom.client.reply import Reply
from cleanroom.client.terminal import Terminal


class Seen:
    """A report on standard output, which is a file here."""

    def __init__(self, capture: pytest.CaptureFixture[str], **environ: str) -> None:
        self.terminal = Terminal(None, 1, b"", redraw=False)
        self.report = TerminalReport(Screen(environ), self.terminal, verbose=False)
        self._capture = capture

    def says(self, kind: str, **fields: object) -> None:
        """A message of the daemon."""
        self.report.news(Reply.of({"type": kind, **fields}))

    def denied(self) -> None:
        """A refusal."""
        names = {"name": "evil.test", "address": "", "protocol": "tls"}
        self.says("denied", **names, port=443, reason="no rule", code="host_not_allowed")

    @property
    def out(self) -> str:
        """What was written since the last look, refusals in their place."""
        out, err = self._capture.readouterr()
        return out + err


def test_what_is_hostile_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"a\x1b]52;c;eA==\x07b")
    assert seen.out == "ab"
    seen = Seen(capfd, CLEANROOM_TERMINAL_ESCAPES="1")
    seen.report.output(1, b"a\x1b]52;c;eA==\x07b")
    assert seen.out == "a\x1b]52;c;eA==\x07b"


def test_the_way_back_has_a_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"$ ")
    seen.report.left("back")
    assert seen.out == "$ \nback\n"
    seen.report.output(1, b"done\r\n")
    seen.report.left("back")
    assert seen.out == "done\r\nback\n"


def test_the_terminal_knows_what_to_undo_before_it_is_done(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"\x1b[?1049h")
    assert seen.terminal._undo == b"\x1b[?1049l"


def test_news_waits_while_a_program_has_the_whole_screen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"\x1b[?1049hvim")
    seen.denied()
    assert "denied" not in seen.out
    seen.report.output(1, b"\x1b[?1049l")
    assert "denied evil.test:443" in seen.out


def test_news_at_the_end_of_a_full_screen_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"\x1b[?1049hvim")
    seen.denied()
    seen.report.ended(Reply.of({"notes": [], "denied": [], "timings": {}}), 0)
    assert "denied evil.test:443" in seen.out


def test_news_begins_on_a_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    seen.report.output(1, b"$ curl")
    seen.denied()
    assert seen.out.startswith("$ curl\r\ncleanroom: denied")


def test_of_the_past_the_end_is_shown_without_questions(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    past = b"x" * SHOWN_AGAIN + b"\n\x1b[6n\x1b[c\x1b[32mgreen\x1b[?1h"
    seen.says("position", stdout=len(past) + 7, stdout_from=0)
    seen.says("gap", stream=1, offset=0, missing=7)
    seen.report.output(1, past[:100])
    assert seen.out == ""
    seen.report.output(1, past[100:] + b"now")
    assert seen.out == "\x1b[32mgreen\x1b[?1h\x1b[?1h\x1b[32mnow"


def test_of_a_full_screen_only_the_modes_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    """It is drawn again by the program, which is told another size (client/terminal.py)."""
    seen = Seen(capfd)
    past = b"\x1b[?1049h\x1b[Hvim"
    seen.says("position", stdout=len(past), stdout_from=0)
    seen.report.output(1, past)
    assert seen.out == "\x1b[?1049h"


def test_a_past_that_is_gone_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen(capfd)
    seen.says("position", stdout=10, stdout_from=0)
    seen.says("gap", stream=1, offset=0, missing=10)
    seen.report.output(1, b"now")
    assert seen.out == "now"
