"""Answers of resolvers, as hostile input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.dns import A
from cleanroom.gateway.layers.lookup import encode_question, is_answer_to, read_answer

QUESTION = encode_question(0x1234, "a.test", A)
RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\7"


def answer(records: bytes, count: int, flags: int = 0x8180) -> bytes:
    """Return an answer to QUESTION."""
    head = QUESTION[:2] + flags.to_bytes(2, "big") + b"\0\1" + count.to_bytes(2, "big") + bytes(4)
    return head + QUESTION[12:] + records


def test_addresses_of_the_asked_type_are_found_among_others() -> None:
    cname = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e"
    plain = b"\1b\4test\0\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x08"
    other_class = b"\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\1\1\1\1"
    wrong_size = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\1\1\1"
    data = answer(cname + RECORD + plain + other_class + wrong_size, 5)
    assert is_answer_to(QUESTION, data)
    assert [str(a) for a in read_answer(QUESTION, data, A).addresses] == [
        "203.0.113.7",
        "203.0.113.8",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        QUESTION,  # a query is no answer
        b"\0\0" + answer(b"", 0)[2:],
        answer(b"", 0)[:-1],
        answer(b"", 0)[:13] + b"b" + answer(b"", 0)[14:],
    ],
)
def test_what_does_not_echo_the_question_is_somebody_elses(data: bytes) -> None:
    assert not is_answer_to(QUESTION, data)


def test_an_answer_may_be_truncated_failed_or_empty() -> None:
    assert read_answer(QUESTION, answer(b"", 0, 0x8380), A).truncated
    assert "code 5" in read_answer(QUESTION, answer(b"", 0, 0x8185), A).why
    missing = read_answer(QUESTION, answer(b"", 0, 0x8183), A)
    assert (missing.addresses, missing.why) == ((), "")


@pytest.mark.parametrize("records", [b"", RECORD[:-1], RECORD[:5], b"\x3f", b"\xc0"])
def test_a_cut_answer_is_malformed_and_gives_no_address_it_does_not_hold(records: bytes) -> None:
    found = read_answer(QUESTION, answer(records, 1), A)
    assert found.addresses == ()


@given(st.binary(max_size=120), st.integers(0, 65535), st.integers(0, 65535))
def test_hostile_records_never_raise(records: bytes, count: int, flags: int) -> None:
    read_answer(QUESTION, answer(records, count, flags), A)
