"""What a program switched on in a terminal, and the bytes that switch it off again. Pure.

In: control sequences that were let through. Out: `undo`, the bytes that make the terminal as it
was; `redo`, those that make another terminal the same. Never: memory that grows with the output.
"""

import re
from typing import Final

MOST: Final = 64  # switched at once; a program that uses more is not remembered whole
_PRIVATE: Final = re.compile(r"\x1b\[\?([0-9;]+)([hl])")
_ON_BY_DEFAULT: Final = frozenset({7, 25})  # wrapping at the right edge, the cursor
_SCREENS: Final = frozenset({47, 1047, 1049})

_Switch = tuple[str, re.Pattern[str], frozenset[str | None], str]


def _switch(name: str, pattern: str, off: tuple[str | None, ...], undo: str) -> _Switch:
    return name, re.compile("\x1b" + pattern), frozenset(off), undo


# Each is on after a sequence of its pattern, unless what its group holds is said to be off.
_OTHERS: Final = (
    _switch("style", r"\[([0-9;:]*)m", ("", "0"), "\x1b[0m"),
    _switch("insert", r"\[4([hl])", ("l",), "\x1b[4l"),
    _switch("region", r"\[([0-9;]*)r", ("",), "\x1b7\x1b[r\x1b8"),  # it moves the cursor
    _switch("cursor", r"\[([0-9]*) q", ("", "0"), "\x1b[0 q"),
    _switch("keys", r"\[>4(?:;([0-9]+))?m", (None, "0"), "\x1b[>4m"),
    _switch("keyboard", r"\[[>=]([0-9;]*)u", (), "\x1b[<9u"),
    _switch("keyboard", r"\[<([0-9]*)u", ("", "1"), "\x1b[<9u"),
    _switch("keypad", r"([=>])", (">",), "\x1b>"),
    _switch("letters", r"\((.)", ("B",), "\x1b(B"),
)


class Modes:
    """Follows the sequences one terminal was given."""

    def __init__(self) -> None:
        self._private: dict[int, None] = {}  # those that are not as by default, in order
        self._others: dict[str, tuple[str, str]] = {}  # name -> (as given, undo)

    @property
    def full_screen(self) -> bool:
        """Whether the program draws on the other screen."""
        return any(mode in _SCREENS for mode in self._private)

    def saw(self, sequence: str) -> None:
        """Take one whole sequence, from its escape character on."""
        if sequence == "\x1bc":  # reset everything
            self._private.clear()
            self._others.clear()
        elif private := _PRIVATE.fullmatch(sequence):
            for number in private[1].split(";"):
                self._switch(number, on=private[2] == "h")
        else:
            self._other(sequence)

    def undo(self) -> bytes:
        """Return what makes the terminal as it was before the program; often nothing."""
        last = sorted(self._private, key=lambda mode: mode in _SCREENS)
        private = [f"\x1b[?{mode}{'h' if mode in _ON_BY_DEFAULT else 'l'}" for mode in last]
        return "".join([*(undo for _, undo in self._others.values()), *private]).encode()

    def redo(self) -> bytes:
        """Return what makes a fresh terminal as this one is now."""
        first = sorted(self._private, key=lambda mode: mode not in _SCREENS)
        private = [f"\x1b[?{mode}{'l' if mode in _ON_BY_DEFAULT else 'h'}" for mode in first]
        return "".join([*private, *(given for given, _ in self._others.values())]).encode()

    def _switch(self, number: str, *, on: bool) -> None:
        if not number.isascii() or not 0 < len(number) < 6:
            return
        mode = int(number)
        if on is (mode in _ON_BY_DEFAULT):
            self._private.pop(mode, None)
        elif len(self._private) < MOST:
            self._private[mode] = None

    def _other(self, sequence: str) -> None:
        for name, pattern, off, undo in _OTHERS:
            found = pattern.fullmatch(sequence)
            if found and found[1] in off:
                self._others.pop(name, None)
            elif found:
                self._others[name] = (sequence, undo)
