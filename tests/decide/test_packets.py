import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.packets import DELIM, FLUSH, encode_packet, read_length, read_packets

PACKET = st.one_of(
    st.sampled_from([FLUSH, DELIM]), st.binary(max_size=99).filter(lambda each: b"\n" not in each)
)


@given(st.lists(PACKET, max_size=9))
def test_what_is_written_is_read(packets: list[bytes]) -> None:
    assert read_packets(b"".join(map(encode_packet, packets)), 9) == packets


@pytest.mark.parametrize("body", [b"0", b"0002", b"0003", b"0004", b"000g", b"0009a", b"+005a"])
def test_what_is_no_packet_is_none(body: bytes) -> None:
    assert read_packets(body, 9) is None


def test_there_are_bounds() -> None:
    assert read_packets(b"0000" * 9, 9) == [FLUSH] * 9
    assert read_packets(b"0000" * 10, 9) is None
    assert (read_length(b"00ff"), read_length(b"00FF"), read_length(b"")) == (255, -1, -1)
