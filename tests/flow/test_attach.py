"""A command left on one terminal and found again on another, or by a pipe."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.fake_process import FakeProcess
from tests.flow.conftest import Person, Process, press
from tests.flow.test_exec import wait_for
from tests.flow.test_terminal import Terminal, echoes, process_of, ready, resize, until


async def reply(process: FakeProcess) -> int:
    """Say what is typed; `7` ends it with that status."""
    await process.say(b"ready\r\n")
    while (data := await process.read()) not in (b"7", b""):
        await process.say(b"<" + data + b">")
    return 7


async def deaf(process: FakeProcess) -> int:
    """Say so, and ignore TERM."""
    process.ignores_term = True
    return await ready(process)


@pytest.fixture(autouse=True)
def programs(person: Person) -> None:
    """What the commands of this file are."""
    person.setting.backend.programs.update(reply=reply, deaf=deaf)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals that are closed at the end."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def way_back(terminal: Terminal) -> list[str]:
    """Leave, and return the words that lead back."""
    os.write(terminal.keyboard, b"\x10\x11")
    assert terminal.end() == 130
    return terminal.shown.decode().partition("Back: cleanroom ")[2].split()


def test_a_terminal_is_left_and_found_again_and_left_again(
    person: Person, terminals: list[Terminal]
) -> None:
    first = Terminal(person, "exec", "-it", "reply")
    terminals.append(first)
    first.see(b"ready\r\n")
    os.write(first.keyboard, b"one")
    first.see(b"<one>")
    words = way_back(first)
    second = Terminal(person, *words)
    terminals.append(second)
    second.see(b"ready\r\n<one>")  # what was on the screen is there again
    os.write(second.keyboard, b"two")
    second.see(b"<two>")
    resize(second.keyboard, 33, 51)
    until(lambda: process_of(person).sizes[-1:] == [(33, 51)])
    assert way_back(second) == words
    assert echoes(second.keyboard)
    third = Terminal(person, *words)
    terminals.append(third)
    third.see(b"ready\r\n<one><two>")
    os.write(third.keyboard, b"7")
    assert third.end() == 7
    assert process_of(person).signals == []


def test_two_at_once_see_and_type_the_same_and_a_killed_one_changes_nothing(
    person: Person, terminals: list[Terminal]
) -> None:
    first = Terminal(person, "exec", "-it", "reply")
    terminals.append(first)
    first.see(b"ready\r\n")
    words = way_back(first)
    left, right = (Terminal(person, *words) for _ in range(2))
    terminals += [left, right]
    for each in (left, right):
        each.see(b"ready\r\n")
    os.write(left.keyboard, b"l")
    right.see(b"<l>")
    os.write(right.keyboard, b"r")
    left.see(b"<r>")
    left.process.kill()
    os.write(right.keyboard, b"7")
    assert right.end() == 7
    assert process_of(person).signals == []


def test_a_pipe_goes_on_where_the_last_client_left(person: Person) -> None:
    ids = person.types("exec", "-d", "-i", "reply").out.split()
    with person.start("attach", *ids) as process:
        wait_for_output(process, b"ready\r\n")
        assert process.stdin
        process.stdin.write(b"a")
        process.stdin.flush()
        wait_for_output(process, b"<a>")
        press(process, signal.SIGTERM)  # leaves: the command is not this client's
        assert process.wait(30) == 130
        assert process.stderr
        assert b"Back: cleanroom attach" in process.stderr.read()
    done = person.types("attach", *ids, stdin=b"7")
    assert done.status == 7
    assert done.out in ("", "<a>")  # what was being written when the signal came, again
    assert person.types("attach", *ids, "--from", "start").out == "ready\r\n<a>"


def wait_for_output(process: Process, text: bytes) -> None:
    """Read standard output until this came."""
    assert process.stdout
    shown = b""
    while text not in shown:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, shown
        shown += piece


def test_ctrl_c_cancels_what_was_joined_and_a_second_one_leaves(person: Person) -> None:
    ids = person.types("exec", "-d", "-i", "deaf").out.split()
    with person.start("attach", *ids) as process:
        wait_for_output(process, b"ready\r\n")
        press(process)
        wait_for(process, b"Ctrl-C again")
        press(process)
        assert process.wait(30) == 130
        assert process.stderr
        assert b"is being canceled" in process.stderr.read()
    assert person.types("executions", "kill", *ids).status == 0
    assert person.types("wait", *ids).status == 137
