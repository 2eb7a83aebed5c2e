"""What a gateway answers becomes part of a sandbox only if it is what it has to be."""

import pytest

from cleanroom.daemon.gateway_answers import checked_secret, placeholder_of
from cleanroom.errors import Code, Refused
from cleanroom.gateway.control import ControlError, SecretHeld


@pytest.mark.parametrize(
    ("placeholder", "why_not"),
    [
        ("", ""),
        ("cleanroom_0123456789", "both"),
        ("cleanroom_0123456789\n", ""),
        ("a b" * 10, ""),
        ("short", ""),
        ("x" * 1025, ""),
        ("", "two\nlines"),
        ("", "x" * 201),
    ],
)
def test_what_is_no_placeholder_and_no_reason_is_refused(placeholder: str, why_not: str) -> None:
    with pytest.raises(ControlError):
        checked_secret(SecretHeld("sbx_1", "gh", placeholder, why_not))


def test_a_placeholder_or_a_reason() -> None:
    held = SecretHeld("sbx_1", "gh", "cleanroom_0123456789")
    assert placeholder_of(checked_secret(held)) == "cleanroom_0123456789"
    with pytest.raises(Refused, match="cannot use the secret 'gh': it is empty") as caught:
        placeholder_of(checked_secret(SecretHeld("sbx_1", "gh", "", "it is empty")))
    assert caught.value.code is Code.SECRET_UNAVAILABLE
