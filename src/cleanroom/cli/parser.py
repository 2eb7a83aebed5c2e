"""The command line of one command as data: argparse without its own exits and its own help.

In: words. Out: a namespace, or UsageError. Never: a process that ends inside the parser, an
abbreviated flag, or a flag taken out of the workload's own arguments.
"""

import argparse
import re
from collections.abc import Sequence
from typing import Final, NoReturn

from cleanroom.errors import Code, UsageError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SANDBOX: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}|sbx_[0-9a-f]{20}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _formatter(prog: str) -> argparse.HelpFormatter:
    """With a width, argparse does not ask for the terminal's: that costs 4 ms of every call."""
    return argparse.HelpFormatter(prog, width=80)


class Flag:
    """One flag: its names, what its value is called ("" for none), and its help."""

    def __init__(self, names: str, value: str, text: str) -> None:
        self.names = tuple(names.split())
        self.value = value
        self.text = text

    @property
    def usage(self) -> str:
        """How it is written, e.g. `-e, --env K[=V]`."""
        return ", ".join(self.names) + (f" {self.value}" if self.value else "")


class Parser(argparse.ArgumentParser):
    """A command's parser. Help and docs/cli.md are made of `flags` and `operands`."""

    def __init__(self, name: str, summary: str, example: str) -> None:
        super().__init__(
            prog=f"cleanroom {name}",
            add_help=False,
            allow_abbrev=False,
            formatter_class=_formatter,
        )
        self.summary = summary
        self.example = example
        self.flags: list[Flag] = []
        self.operands: list[tuple[str, str]] = []
        self._optional = False
        self.rare = frozenset({"--help"})  # what a screen of help can do without
        self.switch("-h --help", "show this help")

    def switch(self, names: str, text: str) -> None:
        """Add a flag without a value."""
        self.flags.append(Flag(names, "", text))
        self.add_argument(*names.split(), action="store_true")

    def value(
        self, names: str, value: str, text: str, default: str | None = None, dest: str | None = None
    ) -> None:
        """Add a flag with a value; the last one counts. `dest`: another word than its name."""
        self.flags.append(Flag(names, value, text))
        self.add_argument(*names.split(), default=default, dest=dest)

    def values(self, names: str, value: str, text: str) -> None:
        """Add a flag with a value that may be repeated."""
        self.flags.append(Flag(names, value, text))
        self.add_argument(*names.split(), action="append", default=[])

    def operand(self, name: str, text: str, count: str | None = None) -> None:
        """Add a word; `count` is argparse's nargs ("?", "*")."""
        shown = {"?": f"[{name}]", "*": f"[{name}…]"}.get(count or "", name)
        self.operands.append((shown, text))
        self._optional = self._optional or count is not None
        self.add_argument(re.sub(r"\W", "_", name.lower()), nargs=count, metavar=name)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of the flags and operands, or raise UsageError."""
        # Otherwise `logs dev -f exe_1` has no second operand (argparse, bpo-15112).
        parse = self.parse_intermixed_args if self._optional else self.parse_args
        return parse(list(words))

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

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found as UsageError."""
        said = message.replace("the following arguments are required:", "missing")
        raise UsageError(
            Code.REQUEST_INVALID, f"cannot read the command line: {said}", f"{self.prog} --help"
        )


def seconds(text: str) -> float:
    """Return the seconds of `90s`, `10m` or `1h`. Raises UsageError for anything else."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS or int(number) == 0:
        message = f"cannot read {text!r} as a duration"
        raise UsageError(Code.REQUEST_INVALID, message, "write 90s, 10m or 1h")
    return float(int(number) * _UNITS[unit])


def is_sandbox_name(text: str) -> bool:
    """Tell whether `text` can name a sandbox, or is an id of one."""
    return _SANDBOX.fullmatch(text) is not None


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
    if not _VARIABLE.fullmatch(text):
        message = f"cannot set a variable named {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "write -e NAME or -e NAME=VALUE")
    return text
