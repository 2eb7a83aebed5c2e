"""What was switched on is switched off, and nothing else is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.client.modes import MOST, Modes


def after(*sequences: str) -> Modes:
    modes = Modes()
    for sequence in sequences:
        modes.saw(sequence)
    return modes


@pytest.mark.parametrize(
    ("on", "undo"),
    [
        ("\x1b[?1049h", b"\x1b[?1049l"),
        ("\x1b[?25l", b"\x1b[?25h"),
        ("\x1b[?1000;1006h", b"\x1b[?1000l\x1b[?1006l"),
        ("\x1b[1;31m", b"\x1b[0m"),
        ("\x1b[4h", b"\x1b[4l"),
        ("\x1b[2;9r", b"\x1b7\x1b[r\x1b8"),
        ("\x1b[5 q", b"\x1b[0 q"),
        ("\x1b[>4;2m", b"\x1b[>4m"),
        ("\x1b[>1u", b"\x1b[<9u"),
        ("\x1b=", b"\x1b>"),
        ("\x1b(0", b"\x1b(B"),
    ],
)
def test_each_has_its_end(on: str, undo: bytes) -> None:
    modes = after(on)
    assert modes.undo() == undo
    again = Modes()
    for sequence in modes.redo().decode().replace("\x1b", "\n\x1b").split("\n")[1:]:
        again.saw(sequence)
    assert again.undo() == undo


@pytest.mark.parametrize(
    ("on", "off"),
    [
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?25l", "\x1b[?25h"),
        ("\x1b[31m", "\x1b[m"),
        ("\x1b[31m", "\x1b[0m"),
        ("\x1b[4h", "\x1b[4l"),
        ("\x1b[2;9r", "\x1b[r"),
        ("\x1b[5 q", "\x1b[ q"),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[>1u", "\x1b[<u"),
        ("\x1b=", "\x1b>"),
        ("\x1b(0", "\x1b(B"),
        ("\x1b[31m\x1b[?1h", "\x1bc"),
    ],
)
def test_what_is_off_again_is_not_undone(on: str, off: str) -> None:
    assert after(on, off).undo() == b""
    assert after(on, off).redo() == b""


def test_the_screen_is_changed_first_and_changed_back_last() -> None:
    modes = after("\x1b[?1049h", "\x1b[?1h", "\x1b[1m")
    assert modes.full_screen
    assert modes.undo().endswith(b"\x1b[?1049l")
    assert modes.redo().startswith(b"\x1b[?1049h")


@pytest.mark.parametrize("sequence", ["\x1b[2J", "\x1b[H", "\x1bM", "\x1b[?h", "\x1b[?9999999h"])
def test_what_only_draws_is_not_remembered(sequence: str) -> None:
    assert after(sequence).undo() == b""


@given(st.lists(st.integers(0, 99_999), max_size=300))
def test_what_is_remembered_is_bounded(numbers: list[int]) -> None:
    modes = after(*(f"\x1b[?{number}h" for number in numbers))
    assert len(modes.undo()) <= MOST * len(b"\x1b[?99999l")
