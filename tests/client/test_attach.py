"""An attached command: every byte once, every ending told."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from cleanroom.client import attach
from cleanroom.client.attach import ALONE, STDIN_WINDOW, Attachment, Left, Manner
from cleanroom.client.calls import RemoteError
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Fault
from tests.client.scripted import Peer


class Heard:
    """A sink that remembers; `stuck` is called with each piece of output."""

    def __init__(self, stuck: Callable[[], object] = lambda: None) -> None:
        self.streams = {1: b"", 2: b""}
        self.told: list[str] = []
        self.running = threading.Event()
        self.stuck = stuck

    def output(self, stream: int, data: bytes) -> None:
        """Keep it; the first, empty piece says that the attachment runs."""
        self.streams[stream] += data
        if data:
            self.stuck()
        self.running.set()

    def news(self, message: Reply) -> None:
        """Keep its type."""
        self.told.append(message.text("type"))

    def canceling(self, number: int) -> None:
        """Keep that it was said."""
        self.told.append("canceling")


class Keys:
    """A keyboard on which `q` leaves; sizes come as listed, and `~` is held back."""

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self.sizes = list(sizes)
        self.held = b""

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Hold back what is not finished, and leave at q."""
        before, leave, _ = data.partition(b"q")
        self.held = before[-1:] if before.endswith(b"~") else b""
        return before.removesuffix(b"~"), bool(leave)

    def late_keys(self) -> bytes:
        """Return it at once."""
        held, self.held = self.held, b""
        return held.upper()

    def new_size(self) -> tuple[int, int] | None:
        """Return the next one."""
        return self.sizes.pop(0) if self.sizes else None

    def wait_ms(self) -> int | None:
        """Ask again while there are sizes."""
        return 1 if self.sizes else None


class Talk:
    """A client's attachment here, and a daemon that plays in a thread."""

    def __init__(
        self,
        play: Callable[[Peer], None],
        sink: Heard,
        stdin: int | None = None,
        manner: Manner = ALONE,
    ) -> None:
        self.failure: list[BaseException] = []
        ours, theirs = socket.socketpair()
        self._ours = ours
        self._running = sink.running
        self._thread = threading.Thread(target=self._play, args=(play, Peer(theirs)))
        self._interrupts = Interrupts()
        self.attachment = Attachment((ours, b""), stdin, sink, self._interrupts, manner)

    def _play(self, play: Callable[[Peer], None], peer: Peer) -> None:
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                peer.output(1, b"")
                assert self._running.wait(10)
                play(peer)
        except AssertionError as error:
            self.failure.append(error)
        finally:
            peer.close()

    def run(self) -> Reply:
        """Carry it to its end."""
        self._thread.start()
        try:
            with self._interrupts:
                return self.attachment.run()
        finally:
            self._ours.close()
            self._thread.join(10)
            assert not self.failure, self.failure


def press(number: int = signal.SIGINT) -> None:
    """Send ourselves a signal, as a terminal would."""
    os.kill(os.getpid(), number)


def test_output_and_news_arrive_in_order() -> None:
    sink = Heard()

    def play(peer: Peer) -> None:
        peer.output(1, b"out\x00\xff")
        peer.say("denied", name="evil.test", port=443)
        peer.output(2, b"err")
        peer.say("note", text="hello")
        peer.exit(exit_code=7)

    run = Talk(play, sink).run().item("run")
    assert run.number("exit_code") == 7
    assert sink.streams == {1: b"out\x00\xff", 2: b"err"}
    assert sink.told == ["denied", "note"]


def test_input_is_carried_to_its_end() -> None:
    reader, writer = os.pipe()
    sent = bytes(range(256)) * 2000
    got: list[bytes] = []

    def play(peer: Peer) -> None:
        got.append(peer.stdin())
        peer.exit()

    def feed() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(sent)

    feeder = threading.Thread(target=feed)
    feeder.start()
    Talk(play, Heard(), reader).run()
    feeder.join()
    os.close(reader)
    assert got == [sent]


def test_an_input_that_never_ends_hangs_nothing() -> None:
    reader, writer = os.pipe()
    Talk(lambda peer: peer.exit(), Heard(), reader).run()
    os.close(reader)
    os.close(writer)


def test_input_waits_for_a_slow_command_in_level_memory() -> None:
    reader, writer = os.pipe()
    enough = threading.Event()
    written = 0

    def feed() -> None:
        nonlocal written
        with suppress(BrokenPipeError):
            while not enough.is_set():
                written += os.write(writer, b"x" * 65536)

    def play(peer: Peer) -> None:
        before = -1
        while written != before:  # until the pipe, the socket and the client are full
            before = written
            enough.wait(0.2)
        peer.exit()

    feeder = threading.Thread(target=feed)
    feeder.start()
    Talk(play, Heard(), reader).run()
    enough.set()
    os.close(reader)
    feeder.join(10)
    os.close(writer)
    assert written < 4 * 1024 * 1024


def test_ctrl_c_is_heard_before_input_that_nobody_reads() -> None:
    reader, writer = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError):
            while True:
                os.write(writer, b"x" * 65536)

    def play(peer: Peer) -> None:
        got = 0
        while got < STDIN_WINDOW:
            message = peer.message()
            assert message
            got += len(message[1])
        press()
        assert peer.text() == {"type": "cancel"}
        peer.exit()

    feeder = threading.Thread(target=feed)
    feeder.start()
    Talk(play, Heard(), reader).run()
    os.close(reader)
    feeder.join(10)
    os.close(writer)


def test_a_ping_is_answered() -> None:
    def play(peer: Peer) -> None:
        peer.frame(9, b"hi")
        assert peer.message() == (10, b"hi")
        peer.exit()

    Talk(play, Heard()).run()


def test_the_first_ctrl_c_cancels_and_the_end_is_awaited() -> None:
    sink = Heard()

    def play(peer: Peer) -> None:
        press()
        assert peer.text() == {"type": "cancel"}
        peer.output(1, b"last words")
        peer.exit(state="canceled", exit_code=None)

    talk = Talk(play, sink)
    assert talk.run().item("run").text("state") == "canceled"
    assert talk.attachment.signalled == signal.SIGINT
    assert sink.told == ["canceling"]
    assert sink.streams[1] == b"last words"


def test_the_second_ctrl_c_leaves() -> None:
    def play(peer: Peer) -> None:
        press()
        assert peer.text() == {"type": "cancel"}
        press()
        assert peer.text()["type"] == "detach"

    with pytest.raises(Left) as caught:
        Talk(play, Heard()).run()
    assert caught.value.canceled


@pytest.mark.parametrize("opcode", [8, 0], ids=["a close that waits for an answer", "nonsense"])
def test_who_leaves_does_not_wait_for_the_daemon_to_hang_up(
    opcode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(peer: Peer) -> None:
        press()
        assert peer.text() == {"type": "cancel"}
        press()
        assert peer.text()["type"] == "detach"
        peer.frame(opcode, b"")
        peer.socket.settimeout(30)
        try:
            assert peer.text() == {"type": "gone"}
        except TimeoutError:
            message = "it waits for the end of the connection"
            raise AssertionError(message) from None

    monkeypatch.setattr(attach, "LEAVE_TIMEOUT_S", 120)
    with pytest.raises(Left):
        Talk(play, Heard()).run()


def test_keys_leave_and_what_was_typed_before_them_is_sent() -> None:
    reader, writer = os.pipe()

    def play(peer: Peer) -> None:
        os.write(writer, b"ls\nqx")
        assert peer.message() == (2, b"ls\n")
        assert peer.text()["type"] == "detach"

    with pytest.raises(Left) as caught:
        Talk(play, Heard(), reader, Manner(Keys())).run()
    assert not caught.value.canceled
    os.close(reader)
    os.close(writer)


def test_keys_that_were_held_back_are_sent_after_all() -> None:
    reader, writer = os.pipe()

    def play(peer: Peer) -> None:
        os.write(writer, b"a~")
        assert peer.message() == (2, b"a")
        assert peer.message() == (2, b"~")
        peer.exit()

    Talk(play, Heard(), reader, Manner(Keys())).run()
    os.close(reader)
    os.close(writer)


def test_sizes_are_told_as_they_come() -> None:
    def play(peer: Peer) -> None:
        assert peer.text() == {"type": "resize", "rows": 24, "columns": 79}
        assert peer.text() == {"type": "resize", "rows": 24, "columns": 80}
        peer.exit()

    Talk(play, Heard(), None, Manner(Keys((24, 79), (24, 80)))).run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_visitor_that_is_told_to_end_leaves(number: int) -> None:
    def play(peer: Peer) -> None:
        press(number)
        assert peer.text()["type"] == "detach"

    with pytest.raises(Left) as caught:
        Talk(play, Heard(), None, Manner(owner=False)).run()
    assert not caught.value.canceled


def test_the_end_of_a_visitors_keyboard_is_not_the_end_of_the_input() -> None:
    reader, writer = os.pipe()
    os.close(writer)

    def play(peer: Peer) -> None:
        peer.exit()
        assert peer.text() == {"type": "gone"}

    Talk(play, Heard(), reader, Manner(Keys(), owner=False)).run()
    os.close(reader)


def test_ctrl_c_reaches_the_daemon_while_nobody_reads_our_output() -> None:
    canceled = threading.Event()

    def stuck() -> None:
        press()  # the write is under way
        canceled.wait(10)
        press()
        time.sleep(10)  # interrupted by the second signal

    def play(peer: Peer) -> None:
        peer.output(1, b"x")
        assert peer.text() == {"type": "cancel"}
        canceled.set()
        assert peer.text()["type"] == "detach"

    with pytest.raises(Left):
        Talk(play, Heard(stuck)).run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_cancel_too(number: int) -> None:
    def play(peer: Peer) -> None:
        press(number)
        assert peer.text() == {"type": "cancel"}
        peer.exit()

    talk = Talk(play, Heard())
    talk.run()
    assert talk.attachment.signalled == number


def test_a_lost_connection_is_an_unknown_outcome() -> None:
    with pytest.raises(Fault) as caught:
        Talk(lambda peer: peer.output(1, b"x"), Heard()).run()
    assert caught.value.code is Code.OUTCOME_UNKNOWN


def test_an_error_message_is_raised() -> None:
    problem = {"title": "t", "status": 500, "detail": "cannot go on", "code": "gateway_lost"}
    with pytest.raises(RemoteError, match="cannot go on"):
        Talk(lambda peer: peer.say("error", problem=problem), Heard()).run()


def test_who_leaves_says_how_far_each_stream_came() -> None:
    def play(peer: Peer) -> None:
        peer.say("position", stdout=90, stderr=9, stdout_from=20, stderr_from=4)
        peer.say("gap", stream=1, offset=20, missing=5)
        peer.output(1, b"abc")
        peer.output(2, b"x")
        told = peer.text()
        while told["type"] != "detach":
            told = peer.text()
        assert told == {"type": "detach", "stdout": 28, "stderr": 5}

    sink = Heard()
    reader, writer = os.pipe()
    sink.stuck = lambda: os.write(writer, b"q") if sink.streams[2] else None
    with pytest.raises(Left):
        Talk(play, sink, reader, Manner(Keys())).run()
    os.close(reader)
    os.close(writer)
    assert sink.told == ["position", "gap"]
