"""A plain connection of a sandbox with secrets: relayed, and no placeholder passes whole."""

from cleanroom.gateway.layers.watched_relay import WatchedRelay
from cleanroom.gateway.wire import Abort, DataReceived, End, Ended, Finish, Opened, Send, Target
from tests.gateway.playbook import Play, Verdict
from tests.gateway.secret_talk import PLACEHOLDER, keys
from tests.gateway.talk import SANDBOX, UPSTREAM

AT = Target("a.test", "198.18.0.16", 5432, 5)


def test_both_sides_are_heard_to_their_ends() -> None:
    assert (
        Play(WatchedRelay(AT, keys()))
        >> Opened()
        >> DataReceived(SANDBOX, b"hello") << [Send(UPSTREAM, b"hello")]
        >> DataReceived(UPSTREAM, PLACEHOLDER.encode()) << [Send(SANDBOX, PLACEHOLDER.encode())]
        >> Ended(SANDBOX) << [End(UPSTREAM)]
        >> DataReceived(UPSTREAM, b"bye") << [Send(SANDBOX, b"bye")]
        >> Ended(UPSTREAM) << [Finish()]
    )  # fmt: skip


def test_a_placeholder_ends_it() -> None:
    said = PLACEHOLDER.encode()
    assert (
        Play(WatchedRelay(AT, keys()))
        >> DataReceived(SANDBOX, b"x" + said[:9]) << [Send(UPSTREAM, b"x" + said[:9])]
        >> DataReceived(SANDBOX, said[9:]) << [Verdict("secret_scope_violation"), Abort()]
    )  # fmt: skip


def test_a_sandbox_without_placeholders_loses_nothing() -> None:
    layer = WatchedRelay(AT, keys())
    layer._lookout._found = type(layer._lookout._found)(())
    assert layer.handle(DataReceived(SANDBOX, b"x")) == [Send(UPSTREAM, b"x")]
