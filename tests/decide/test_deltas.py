import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.deltas import number_at, offset_at, patched, size_made
from tests.decide.packs import copied, number

BASE = bytes(range(200)) * 400


@given(st.integers(0, 2**34))
def test_a_number_is_read_as_it_is_written(value: int) -> None:
    written = number(value)
    assert number_at(b"x" + written, 1) == (value, 1 + len(written))
    assert number_at(written[:-1], 0) is None


def test_offsets_have_no_two_spellings() -> None:
    assert offset_at(b"\x05", 0) == (5, 1)
    assert offset_at(b"\x80\x00", 0) == (128, 2)
    assert offset_at(b"\x80", 0) is None


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        (b"\x03abc", b"abc"),
        (b"\x91\x05\x03", BASE[5:8]),
        (b"\x80", BASE[:0x10000]),
        (b"\xff\x01\x01\x00\x00\x02\x01\x00", BASE[0x101 : 0x101 + 0x102]),
    ],
)
def test_steps_copy_and_add(steps: bytes, made: bytes) -> None:
    delta = number(len(BASE)) + number(len(made)) + steps
    assert patched(BASE, delta, 1 << 20) == made
    assert patched(BASE, delta, len(made) - 1) is None
    assert size_made(delta) == len(made)


@pytest.mark.parametrize(
    "delta",
    [
        b"",
        b"\x80",
        number(len(BASE)),
        number(3) + b"\x01\x01x",
        number(len(BASE)) + b"\x02\x01x",
        number(len(BASE)) + b"\x02\x00xx",
        number(len(BASE)) + b"\x02\xff\x01",
        number(len(BASE)) + b"\x02\x05ab",
        number(len(BASE)) + b"\x02\x98\xff\x02",
        number(len(BASE)) + b"\x02\x04abcd",
    ],
)
def test_what_is_no_difference_to_a_base_makes_nothing(delta: bytes) -> None:
    assert patched(BASE, delta, 1 << 20) is None


def test_nothing_is_no_base() -> None:
    assert patched(b"", b"\x00\x01\x01x", 100) is None
    assert (size_made(b""), size_made(b"\x01")) == (-1, -1)


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=100))
def test_a_difference_ends_whatever_it_says(base: bytes, delta: bytes) -> None:
    made = patched(base, delta, 1000)
    assert made is None or len(made) == size_made(delta)
    assert patched(base, copied(base, b"x"), 1000) in (base + b"x", None)
