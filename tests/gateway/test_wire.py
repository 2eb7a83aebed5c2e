"""The vocabulary."""

from cleanroom.gateway.wire import Side


def test_each_side_has_another() -> None:
    assert Side.SANDBOX.other is Side.UPSTREAM
    assert Side.UPSTREAM.other is Side.SANDBOX
