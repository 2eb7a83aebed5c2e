"""The keys that leave a running command: found in what a person types. Pure.

In: the words of `--detach-keys`, bytes of a keyboard as they come. Out: what to send on, and
whether the keys were pressed. Never: a key lost or sent twice, whatever the cut.
"""

import re
from typing import Final, NamedTuple

from cleanroom.errors import Code, UsageError

DEFAULT: Final = "ctrl-p,ctrl-q"
HOLD_S: Final = 0.5  # a beginning of the keys waits this long for the rest
_CTRL: Final = re.compile(r"ctrl-([a-z@\[\\\]^_])")


class Typed(NamedTuple):
    """What to send on; `leave`: the keys came right after it."""

    data: bytes
    leave: bool


def read_keys(text: str) -> bytes:
    """Return the bytes of keys such as `ctrl-p,ctrl-q` or `~,.`; of `none`, no bytes.

    Raises UsageError.
    """
    return b"" if text == "none" else bytes(_byte(key) for key in text.split(","))


def _byte(key: str) -> int:
    control = _CTRL.fullmatch(key)
    if control:
        return ord(control[1].upper()) & 0x1F
    if len(key) == 1 and "!" <= key <= "~":
        return ord(key)
    message = f"cannot read {key!r} in --detach-keys"
    raise UsageError(
        Code.REQUEST_INVALID, message, "write keys like ctrl-p,ctrl-q or ctrl-], or none"
    )


class DetachKeys:
    """Looks for the keys; `held` is the beginning of them that was not sent on yet."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self.held = b""

    def typed(self, data: bytes) -> Typed:
        """Take what was typed. After `leave` nothing more may come."""
        data = self.held + data
        at = data.find(self._keys) if self._keys else -1
        if at >= 0:
            self.held = b""
            return Typed(data[:at], leave=True)
        end = len(data) - self._beginning(data)
        self.held = data[end:]
        return Typed(data[:end], leave=False)

    def give_up(self) -> bytes:
        """Return what was held: the rest of the keys did not come."""
        held, self.held = self.held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """Return how many bytes at the end of `data` may be the beginning of the keys."""
        longest = min(len(data), len(self._keys) - 1)
        return next((n for n in range(longest, 0, -1) if data.endswith(self._keys[:n])), 0)
