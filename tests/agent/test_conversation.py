"""One command's conversation: credit is kept by both, and a lie ends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.agent.conversation import MAX_CHUNKS, WINDOW_BYTES, Backlog, Conversation
from cleanroom.agent.frames import (
    MAX_DATA_BYTES,
    AgentFrame,
    Credit,
    Exited,
    Failed,
    FrameError,
    Hello,
    Output,
    Start,
    Stdin,
    encode,
)

START = Start(7, ("true",), (), "/")


def begun(*, tty: bool = False) -> Conversation:
    conversation = Conversation(7)
    conversation.begin(Start(7, ("true",), (), "/", tty=tty))
    return conversation


def hear(conversation: Conversation, *frames: AgentFrame) -> Conversation:
    for frame in frames:
        conversation.receive(frame)
    return conversation


def test_a_command_begins_with_its_start_and_credit_for_both_streams() -> None:
    assert Conversation(7).begin(START) == encode(START) + encode(
        Credit(7, 1, WINDOW_BYTES)
    ) + encode(Credit(7, 2, WINDOW_BYTES))


def test_a_terminal_has_one_stream() -> None:
    with pytest.raises(FrameError, match="more output than it had credit for"):
        hear(begun(tty=True), Output(7, 2, b"x"))


def test_output_is_taken_in_order() -> None:
    conversation = hear(begun(), Output(7, 1, b"a"), Output(7, 2, b"b"), Output(7, 1, b"c"))
    assert [conversation.take() for _ in range(4)] == [
        (1, b"a", b""),
        (2, b"b", b""),
        (1, b"c", b""),
        None,
    ]


def test_taking_a_quarter_of_the_window_grants_it_anew() -> None:
    conversation = begun()
    piece = b"x" * MAX_DATA_BYTES
    grants = []
    for _ in range(4):
        hear(conversation, Output(7, 1, piece))
        taken = conversation.take()
        assert taken is not None
        grants.append(taken[2])
    assert grants == [b"", b"", b"", encode(Credit(7, 1, 4 * MAX_DATA_BYTES))]


def test_after_the_end_nothing_is_granted() -> None:
    conversation = begun()
    for _ in range(8):
        hear(conversation, Output(7, 1, b"x" * MAX_DATA_BYTES))
    hear(conversation, Exited(7, 0))
    grants = []
    while taken := conversation.take():
        grants.append(taken[2])
    assert set(grants) == {b""}


def test_an_agent_that_sends_more_than_the_window_is_not_believed() -> None:
    conversation = begun()
    for _ in range(WINDOW_BYTES // MAX_DATA_BYTES):
        hear(conversation, Output(7, 1, b"x" * MAX_DATA_BYTES))
    with pytest.raises(FrameError, match="more output"):
        hear(conversation, Output(7, 1, b"x"))


@pytest.mark.parametrize("end", [Exited(7, 3), Exited(7, None, 9), Failed(7, 4, 2)])
def test_there_is_one_end_and_nothing_after_it(end: Exited | Failed) -> None:
    conversation = hear(begun(), end)
    assert conversation.end == end
    with pytest.raises(FrameError, match="after the end"):
        hear(conversation, Output(7, 1, b"x"))


def test_a_greeting_does_not_belong_here() -> None:
    with pytest.raises(FrameError, match="second greeting"):
        hear(begun(), Hello(1))


def test_stdin_goes_only_as_far_as_the_agent_has_room() -> None:
    conversation = hear(begun(), Credit(7, 0, 3))
    assert conversation.write(memoryview(b"abcde")) == (encode(Stdin(7, b"abc")), 3)
    assert conversation.room == 0


def test_credit_beyond_any_window_is_not_believed() -> None:
    with pytest.raises(FrameError, match="no window can hold"):
        hear(begun(), Credit(7, 0, 2**31))


def test_small_neighbours_of_one_stream_become_one_chunk() -> None:
    backlog = Backlog()
    for byte in b"abc":
        backlog.add(1, bytes([byte]))
    assert backlog.take() == (1, b"abc")
    assert backlog.take() is None


def test_a_crowded_backlog_stays_small_and_loses_nothing() -> None:
    backlog = Backlog()
    for _ in range(10_000):
        backlog.add(1, b"o")
        backlog.add(2, b"e")
    chunks = []
    while chunk := backlog.take():
        chunks.append(chunk)
    assert len(chunks) == MAX_CHUNKS
    assert b"".join(data for stream, data in chunks if stream == 1) == b"o" * 10_000
    assert b"".join(data for stream, data in chunks if stream == 2) == b"e" * 10_000


def test_a_stream_that_first_speaks_in_a_crowd_is_heard() -> None:
    backlog = Backlog()
    for _ in range(MAX_CHUNKS + 10):
        backlog.add(1, b"o" * (MAX_DATA_BYTES // 2))
    backlog.add(2, b"e")
    heard = []
    while chunk := backlog.take():
        heard.append(chunk)
    assert (2, b"e") in heard


FRAMES = st.one_of(
    st.builds(Output, st.just(7), st.sampled_from((1, 2)), st.binary(min_size=1, max_size=9)),
    st.builds(Credit, st.just(7), st.just(0), st.integers(0, 2**32 - 1)),
    st.builds(Exited, st.just(7), st.integers(0, 255)),
    st.just(Hello(1)),
)


@given(st.lists(FRAMES))
def test_any_frames_are_taken_or_refused_and_each_stream_keeps_its_bytes(
    frames: list[AgentFrame],
) -> None:
    conversation = begun()
    sent = {1: b"", 2: b""}
    for frame in frames:
        try:
            conversation.receive(frame)
        except FrameError:
            break
        if isinstance(frame, Output):
            sent[frame.stream] += frame.data
    got = {1: b"", 2: b""}
    while taken := conversation.take():
        got[taken[0]] += taken[1]
    assert got == sent
