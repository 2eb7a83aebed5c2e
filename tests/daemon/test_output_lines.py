"""Characters that a pipe cut in two arrive whole."""

from cleanroom.api.streams import GapLine, OutputLine
from cleanroom.daemon.output import Chunk, Gap
from cleanroom.daemon.output_lines import OutputLines

EURO = "€".encode()


def test_a_character_cut_in_two_is_one_line_of_text() -> None:
    lines = OutputLines()
    (first,) = lines.feed(Chunk(1, 0, b"ab" + EURO[:1]))
    assert first == OutputLine(stream=1, offset=0, text="ab")
    (second,) = lines.feed(Chunk(1, 3, EURO[1:] + b"c"))
    assert second == OutputLine(stream=1, offset=2, text="€c")
    assert lines.rest() == []


def test_the_streams_do_not_mix() -> None:
    lines = OutputLines()
    assert lines.feed(Chunk(1, 0, EURO[:2])) == []
    (other,) = lines.feed(Chunk(2, 0, b"x"))
    assert other == OutputLine(stream=2, offset=0, text="x")


def test_a_character_that_never_ends_is_bytes_at_the_end() -> None:
    lines = OutputLines()
    assert lines.feed(Chunk(1, 5, EURO[:2])) == []
    (rest,) = lines.rest()
    assert isinstance(rest, OutputLine)
    assert (rest.offset, rest.base64) == (5, "4oI=")


def test_a_gap_comes_after_what_was_held_back() -> None:
    lines = OutputLines()
    lines.feed(Chunk(1, 0, EURO[:2]))
    held, gap = lines.feed(Gap(1, 2, 100))
    assert isinstance(held, OutputLine)
    assert gap == GapLine(stream=1, offset=2, missing=100)
