"""Messages between daemon and gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway import control
from cleanroom.policy.model import SecretBinding
from cleanroom.policy.opened import OpenedName
from tests.gateway.test_budgets import denied

TO_GATEWAY: list[control.ToGateway] = [
    control.Configure(("10.0.0.0/8",), ("a.corp",), ("9.9.9.9",), "proxy:3128"),
    control.Configure(foreign_credentials=(("a.test", "strip"),)),
    control.Trust("roots"),
    control.MakeAuthority("sbx_1", (OpenedName("a.test"), OpenedName("b.test", below=True)), 1, 2),
    control.HoldSecret("sbx_1", SecretBinding("gh", "GH", ("a.test",), paths=("/x",))),
    control.OpenDoor("sbx_1"),
    control.OpenDoor("sbx_1", offline=True),
    control.NarrowPolicy("sbx_1"),
    control.CloseDoor("sbx_1"),
    control.Acknowledge(7),
]
TO_DAEMON: list[control.ToDaemon] = [
    control.AuthorityMade("sbx_1", "certificate"),
    control.SecretHeld("sbx_1", "gh", "ghp_x"),
    control.DoorOpened("sbx_1"),
    control.PolicyNarrowed("sbx_1"),
    control.DoorClosed("sbx_1"),
    control.Reports((control.Report(1, "sbx_1", denied()), control.Report(2, "sbx_1", denied()))),
]


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_messages_survive_the_way_in_any_pieces(piece: int) -> None:
    for messages, decode in (
        (TO_GATEWAY, control.decode_for_gateway),
        (TO_DAEMON, control.decode_for_daemon),
    ):
        data = b"".join(control.encode(message) for message in messages)
        inbox = control.Inbox()
        bodies = [
            body
            for at in range(0, len(data), piece)
            for body in inbox.bodies(data[at : at + piece])
        ]
        assert [decode(body) for body in bodies] == messages


def test_a_message_that_is_too_long_is_neither_sent_nor_read() -> None:
    with pytest.raises(control.ControlError, match="cannot send"):
        control.encode(control.CloseDoor("x" * control.MAX_MESSAGE_BYTES))
    with pytest.raises(control.ControlError, match="cannot read"):
        list(control.Inbox().bodies(b"\xff\xff\xff\xff"))


@given(st.binary(max_size=200))
def test_only_control_errors_come_of_hostile_bytes(body: bytes) -> None:
    for decode in (control.decode_for_gateway, control.decode_for_daemon):
        with pytest.raises(control.ControlError):
            decode(body)


@pytest.mark.parametrize("body", [b'{"type":"\xc9"}', b'{"type":' + b'{"a":' * 5000])
def test_neither_foreign_letters_nor_depth_are_another_error(body: bytes) -> None:
    for decode in (control.decode_for_gateway, control.decode_for_daemon):
        with pytest.raises(control.ControlError):
            decode(body)


def test_one_side_does_not_understand_the_others_messages() -> None:
    (body,) = control.Inbox().bodies(control.encode(control.Acknowledge(1)))
    with pytest.raises(control.ControlError):
        control.decode_for_daemon(body)
