import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.push_commands import (
    MAX_COMMANDS,
    MAX_SIZE,
    Command,
    CommandReader,
    Commands,
    NoCommands,
)
from tests.decide.test_upload_pack import pkt

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
ABLE = "report-status-v2 side-band-64k object-format=sha1 agent=git/2"
SHALLOW = f"shallow {A}"


def line(ref: str = "refs/heads/agent/fix", old: str = NONE, new: str = A) -> str:
    return f"{old} {new} {ref}"


def push(*lines: str, able: str = ABLE) -> bytes:
    """Return commands as git sends them."""
    return pkt(f"{lines[0]}\0 {able}", *lines[1:], 0)


def read(data: bytes, cut: int = 1 << 20) -> Commands | NoCommands | None:
    reader = CommandReader()
    for at in range(0, len(data), cut):
        found = reader.feed(data[at : at + cut])
        if found is not None:
            return found
    return None


@given(st.integers(1, 80))
def test_commands_are_read_in_any_pieces(cut: int) -> None:
    data = push(line(), line("refs/heads/main", A, NONE))
    found = read(data + b"PACK", cut)
    assert isinstance(found, Commands)
    new = Command(NONE, A, "refs/heads/agent/fix")
    gone = Command(A, NONE, "refs/heads/main")
    assert found == Commands((new, gone), frozenset(ABLE.split()), len(data))
    assert (new.creates, new.deletes, gone.creates, gone.deletes) == (True, False, False, True)
    assert found.has_pack


def test_what_has_not_come_whole_is_awaited() -> None:
    data = push(line(), line("refs/heads/b"))
    assert all(read(data[:end]) is None for end in range(len(data)))


def test_line_ends_borders_and_other_digests_are_known() -> None:
    found = read(pkt(f"{SHALLOW}\n", SHALLOW, f"{line()}\0{ABLE}\n", f"{line('refs/x')}\n", 0))
    assert isinstance(found, Commands)
    assert [each.ref for each in found.commands] == ["refs/heads/agent/fix", "refs/x"]
    found = read(push(line(old="0" * 64, new="c" * 64)))
    assert isinstance(found, Commands)
    assert found.commands[0].creates


def test_deletions_have_no_pack_and_a_question_has_no_commands() -> None:
    found = read(push(line(old=A, new=NONE)))
    assert isinstance(found, Commands)
    assert not found.has_pack
    asked = read(b"0000")
    assert asked == Commands((), frozenset(), 4)
    assert not asked.has_pack


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"what is it", "git's packets"),
        (b"0004", "git's packets"),
        (b"0001", "git's packets"),
        (b"PACK" + bytes(40), "git's packets"),
        (pkt(SHALLOW, 0), "it changes nothing"),
        (pkt(line(), SHALLOW, 0), "a line that"),
        (push(f"{line()} x"), "a line that"),
        (push(line().replace("  ", " ").upper()), "a line that"),
        (push(line(ref="refs/heads/a\tb")), "a line that"),
        (push(line(ref="")), "a line that"),
        (push(line(ref="refs/heads/ä")), "a line that"),
        (push(line(new="a" * 39)), "a line that"),
        (push(line(), f"{line('refs/heads/x')}\0quiet"), "a line that"),
        (push(line(), "push-cert x"), "a line that"),
        (push("push-cert\0"), "a line that"),
        (push(line(), able="quiet\tatomic"), "a line that"),
        (push(line(), able="  quiet"), "a line that"),
        (push(line(), able="x" * 1000 + "\t"), "a line that"),
        (push(line(), able="x" * 3000), "a line that"),
        (push(line(), able="x " * 100 + "\t"), "a line that"),
        (push(line(), line("refs/heads/x", "0" * 64, "c" * 64)), "ids of two kinds"),
        (push(line(new="c" * 64)), "ids of two kinds"),
        (push(line(new=NONE)), "from nothing to nothing"),
        (push(line(), line()), "a ref twice"),
        (push(line(), line("refs/heads/agent/FIX")), "a ref twice"),
        (push(*(line(f"refs/heads/{n}") for n in range(MAX_COMMANDS + 1))), "refs, or is too long"),
        (pkt(*[SHALLOW] * 4 * MAX_COMMANDS, 0), "it changes nothing"),
        (pkt(*[SHALLOW] * 5 * MAX_COMMANDS, 0), "refs, or is too long"),
        (pkt("x" * 40_000, "x" * 40_000, 0), "refs, or is too long"),
        (b"fff0" + bytes(MAX_SIZE), "a line that"),
    ],
)
def test_what_could_be_read_in_two_ways_is_no_push(data: bytes, why: str) -> None:
    found = read(data, 1000)
    if found is None:  # it waits for more than it would ever take
        found = read(data + bytes(4) + b"0000")
    assert isinstance(found, NoCommands)
    assert why in found.why or found.why == "it is not written in git's packets"


@given(st.binary(max_size=300))
def test_any_bytes_have_an_outcome(data: bytes) -> None:
    assert isinstance(read(data, 7), Commands | NoCommands | None)
