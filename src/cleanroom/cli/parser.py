"""The command line of one command as data: its flags, its operands, and how words are read.

In: words. Out: Options, or UsageError. Never: an abbreviated flag, a flag taken for another's
value, or a flag taken out of the workload's own arguments.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from cleanroom.errors import Code, UsageError

# What argparse does, and costs 3 ms of every call, is the hundred lines of `Parser`.
if TYPE_CHECKING:
    import argparse

    Options = argparse.Namespace
else:
    from types import SimpleNamespace as Options

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
# Patterns are compiled when they are first used: each costs a tenth of a millisecond.
_SANDBOX: Final = r"[a-z0-9][a-z0-9-]{0,62}|sbx_[0-9a-f]{20}"
_VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"


class Flag:
    """One flag: its names, what its value is called ("" for none), and its help.

    `word` is its attribute of Options; `default` what that is without it, a list if the flag may
    be repeated.
    """

    def __init__(self, names: str, value: str, text: str, default: object = None) -> None:
        self.names = tuple(names.split())
        self.value = value
        self.text = text
        self.default = default
        long = [name for name in self.names if name.startswith("--")]
        self.word = (*long, *self.names)[0].lstrip("-").replace("-", "_")

    @property
    def usage(self) -> str:
        """How it is written, e.g. `-e, --env K[=V]`."""
        return ", ".join(self.names) + (f" {self.value}" if self.value else "")


class Parser:
    """A command's parser. Help and docs/cli.md are made of `flags` and `operands`."""

    def __init__(self, name: str, summary: str, example: str) -> None:
        self.prog = f"cleanroom {name}"
        self.summary = summary
        self.example = example
        self.flags: list[Flag] = []
        self.operands: list[tuple[str, str]] = []
        self._places: list[tuple[str, str]] = []  # of the operands: name, and how many
        self.rare = frozenset({"--help"})  # what a screen of help can do without
        self.switch("-h --help", "show this help")

    def switch(self, names: str, text: str) -> None:
        """Add a flag without a value."""
        self.flags.append(Flag(names, "", text, default=False))

    def value(
        self, names: str, value: str, text: str, default: str | None = None, dest: str | None = None
    ) -> None:
        """Add a flag with a value; the last one counts. `dest`: another word than its name."""
        flag = Flag(names, value, text, default)
        flag.word = dest or flag.word
        self.flags.append(flag)

    def values(self, names: str, value: str, text: str) -> None:
        """Add a flag with a value that may be repeated."""
        self.flags.append(Flag(names, value, text, default=[]))

    def operand(self, name: str, text: str, count: str = "") -> None:
        """Add a word; `count` "?" if it may be left out, "*" for any number of the last."""
        self.operands.append(({"?": f"[{name}]", "*": f"[{name}…]"}.get(count, name), text))
        self._places.append((name, count))

    def read(self, words: Sequence[str]) -> Options:
        """Return the values of the flags and operands, or raise UsageError."""
        values = {flag.word: flag.default for flag in self.flags}
        plain: list[str] = []
        rest = list(reversed(words))
        while rest:
            word = rest.pop()
            if word == "--":
                plain += reversed(rest)
                break
            if _is_flag(word):
                self._read_flag(word, rest, values)
            else:
                plain.append(word)
        self._place(plain, values)
        return Options(**values)

    def _read_flag(self, word: str, rest: list[str], values: dict[str, object]) -> None:
        """Read `--name VALUE`, `--name=VALUE`, `-nVALUE`, or several in one as in `-vn VALUE`."""
        known = {name: flag for flag in self.flags for name in flag.names}
        name, equals, given = word.partition("=")
        if name not in known and not word.startswith("--"):
            name, equals, given = word[:2], "", word[2:]
        if name not in known:
            self._refuse(f"unrecognized arguments: {word}")
        flag = known[name]
        if flag.value:
            said = given if equals or given else self._next(rest, name, flag)
            before = values[flag.word]
            values[flag.word] = [*before, said] if isinstance(before, list) else said
            return
        if equals:
            self._refuse(f"{name} takes no value")
        values[flag.word] = True
        if given:
            self._read_flag(f"-{given}", rest, values)

    def _next(self, rest: list[str], name: str, flag: Flag) -> str:
        if not rest or _is_flag(rest[-1]):
            self._refuse(f"{name} needs a value: {flag.value}")
        return rest.pop()

    def _place(self, plain: list[str], values: dict[str, object]) -> None:
        """Give each operand its word."""
        missing = []
        for name, count in self._places:
            word = re.sub(r"\W", "_", name.lower())
            if count == "*":
                values[word], plain = plain, []
            elif plain:
                values[word], *plain = plain
            else:
                values[word] = None
                missing += [] if count else [name]
        if missing:
            self._refuse(f"missing {', '.join(missing)}")
        if plain:
            self._refuse(f"unrecognized arguments: {' '.join(plain)}")

    def split(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Split flags from the workload's words: at `--`, else at the first plain word."""
        index = 0
        while index < len(words):
            word = words[index]
            if word == "--":
                return list(words[:index]), list(words[index + 1 :])
            if word == "-" or not word.startswith("-"):
                break
            index += 2 if self._value_follows(word) else 1
        return list(words[:index]), list(words[index:])

    def _value_follows(self, word: str) -> bool:
        """Tell whether the next word is the value of this one: `--env`, `-e`, `-ve`."""
        with_value = {name for flag in self.flags if flag.value for name in flag.names}
        if word.startswith("--"):
            return word in with_value
        ending = [index for index, char in enumerate(word) if f"-{char}" in with_value]
        return bool(ending) and ending[0] == len(word) - 1

    def _refuse(self, why: str) -> NoReturn:
        raise UsageError(
            Code.REQUEST_INVALID, f"cannot read the command line: {why}", f"{self.prog} --help"
        )


def _is_flag(word: str) -> bool:
    """Tell a flag from a word: `-` is a stream, and `-5` a number."""
    return word.startswith("-") and word != "-" and not word[1:].isdigit()


def seconds(text: str, most_h: int = 8760) -> float:
    """Return the seconds of `90s`, `10m` or `1h`. Raises UsageError for anything else, or more."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS or int(number) == 0:
        message = f"cannot read {text!r} as a duration"
        raise UsageError(Code.REQUEST_INVALID, message, "write 90s, 10m or 1h")
    if int(number) * _UNITS[unit] > most_h * _UNITS["h"]:
        message = f"cannot take {text[:40]}: it is more than {most_h}h"
        raise UsageError(Code.REQUEST_INVALID, message, f"{most_h}h is the most here")
    return float(int(number) * _UNITS[unit])


def count(text: str | None, flag: str) -> str | None:
    """Return `text` if it is a whole number, or not there. Raises UsageError."""
    if text is not None and not (text.isascii() and text.isdecimal()):
        message = f"cannot read {flag} {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, f"write a whole number: {flag} 20")
    return text


def is_sandbox_name(text: str) -> bool:
    """Tell whether `text` can name a sandbox, or is an id of one."""
    return re.fullmatch(_SANDBOX, text) is not None


def sandbox_name(text: str | None) -> str | None:
    """Return `text` if it can name a sandbox, or is an id of one. Raises UsageError."""
    if text is not None and not is_sandbox_name(text):
        message = f"cannot name a sandbox {text!r}"
        hint = "use lower-case letters, digits and hyphens, 63 at most"
        raise UsageError(Code.REQUEST_INVALID, message, hint)
    return text


def moment(text: str | None) -> str | None:
    """Return what the API takes for `--since`: a duration as seconds ago, a time as it is."""
    return f"{seconds(text):g}s" if text and text[-1] in _UNITS else text


def variable_name(text: str) -> str:
    """Return `text` if it can name an environment variable, or raise UsageError."""
    if not re.fullmatch(_VARIABLE, text):
        message = f"cannot set a variable named {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "write -e NAME or -e NAME=VALUE")
    return text
