"""The protocol's bytes: what Python writes C reads, and whatever C could send Python survives."""

import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.agent.frames import (
    MAX_DATA_BYTES,
    AgentFrame,
    FrameError,
    FrameReader,
    Output,
    Start,
    encode,
)
from cleanroom.errors import Code, UserError
from tests.agent.speech import AGENT, AGENT_FRAMES, DAEMON_FRAMES, said, vectors
from tests.seeds import NIGHTLY, SEED

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def frame(kind: int, payload: bytes, execution: int = 1) -> bytes:
    return struct.pack(">IBI", len(payload), kind, execution) + payload


def read(data: bytes) -> list[AgentFrame]:
    return FrameReader().feed(data)


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """agent/check.c, with every sanitizer."""
    program = tmp_path_factory.mktemp("check") / "check"
    sources = [str(AGENT / name) for name in ("check.c", "frames.c")]
    flags = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", *SANITIZERS)
    subprocess.run(["/usr/bin/gcc", *flags, *sources, "-o", str(program)], check=True)
    return program


def test_the_vectors_are_what_python_writes() -> None:
    assert vectors("daemon")[: len(DAEMON_FRAMES)] == [
        (encode(each), said(each)) for each in DAEMON_FRAMES
    ]


def test_the_vectors_are_what_python_reads() -> None:
    assert [said(each) for data, _ in vectors("agent") for each in read(data)] == [
        text for _, text in vectors("agent")
    ]
    assert len(vectors("agent")) == len(AGENT_FRAMES)


def test_the_agent_reads_what_the_vectors_say(check: Path) -> None:
    text = (AGENT / "vectors" / "daemon.txt").read_bytes()
    answer = subprocess.run([check], input=text, capture_output=True, check=True)
    assert answer.stdout.decode() == text.decode()


@pytest.mark.timeout(0 if NIGHTLY else 300)
@pytest.mark.parametrize("part", range(1, 5))
def test_the_agent_survives_hostile_bytes(check: Path, part: int) -> None:
    rounds = 500_000 if NIGHTLY else 20_000
    subprocess.run([check, "fuzz", str(SEED + part), str(rounds)], check=True)


@pytest.mark.parametrize(
    "start",
    [
        Start(1, (), (), "/"),
        Start(1, ("a\0b",), (), "/"),
        Start(1, ("a",), ("K=\0",), "/"),
        Start(1, ("a",), (), "/\0"),
        Start(1, ("a" * 1024 * 1024,), (), "/"),
        Start(1, ("a",) * 70_000, (), "/"),
    ],
)
def test_a_command_that_cannot_be_passed_is_the_callers_fault(start: Start) -> None:
    with pytest.raises(UserError) as error:
        encode(start)
    assert error.value.code is Code.REQUEST_INVALID


@pytest.mark.parametrize("piece", [1, 2, 8, 9, 10, 1000])
def test_frames_may_arrive_in_any_pieces(piece: int) -> None:
    data = b"".join(code for code, _ in vectors("agent"))
    reader = FrameReader()
    found = [
        each for at in range(0, len(data), piece) for each in reader.feed(data[at : at + piece])
    ]
    assert tuple(found) == AGENT_FRAMES


def test_the_largest_output_passes_and_one_byte_more_does_not() -> None:
    data = b"x" * MAX_DATA_BYTES
    assert read(frame(17, b"\1" + data)) == [Output(1, 1, data)]
    with pytest.raises(FrameError):
        read(frame(17, b"\1" + data + b"x"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(1, b""), id="a frame only the daemon sends"),
        pytest.param(frame(99, b""), id="an unknown type"),
        pytest.param(struct.pack(">IBI", 4_000_000_000, 17, 1), id="a length of gigabytes"),
        pytest.param(frame(17, b"\1"), id="output of nothing"),
        pytest.param(frame(17, b"\3x"), id="output of stream 3"),
        pytest.param(frame(17, b"\0x"), id="output of standard input"),
        pytest.param(frame(16, struct.pack(">I", 1)), id="a greeting with an execution"),
        pytest.param(frame(6, struct.pack(">BI", 1, 5)), id="credit for output"),
        pytest.param(frame(18, struct.pack(">BI", 0, 256)), id="exit code 256"),
        pytest.param(frame(18, struct.pack(">BI", 1, 0)), id="signal 0"),
        pytest.param(frame(18, struct.pack(">BI", 1, 65)), id="signal 65"),
        pytest.param(frame(18, struct.pack(">BI", 2, 1)), id="an end of a third kind"),
        pytest.param(frame(19, struct.pack(">BI", 5, 2)), id="failure of stage 5"),
        pytest.param(frame(19, struct.pack(">BI", 4, 0)), id="failure without a reason"),
        pytest.param(frame(19, struct.pack(">BI", 4, 2**32 - 1)), id="failure of no errno"),
    ],
)
def test_what_no_agent_of_ours_sends_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError) as error:
        read(data)
    assert error.value.code is Code.BACKEND_TRANSPORT_ERROR


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=64), max_size=8))
def test_any_bytes_give_frames_or_a_frame_error(pieces: list[bytes]) -> None:
    reader = FrameReader()
    with suppress(FrameError):
        for piece in pieces:
            reader.feed(piece)


@settings(max_examples=300)
@given(
    st.sampled_from((6, 16, 17, 18, 19)),
    st.binary(min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
)
def test_any_payload_gives_a_frame_or_a_frame_error(
    kind: int, payload: bytes, execution: int
) -> None:
    try:
        frames = read(frame(kind, payload, execution))
    except FrameError:
        return
    assert len(frames) == 1
