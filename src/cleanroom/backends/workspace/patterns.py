"""Patterns in the syntax of .gitignore, for .cleanroomignore and .gitignore alike.

In: the text of a file, bounded. Out: Patterns, which say yes, no, or nothing of a path.
Never: I/O, or a pattern so wild that matching it takes long.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 64 * 1024
MAX_WILDCARDS: Final = 8  # per pattern; more could backtrack for minutes


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it matches, and whether it takes that back or asks for a folder."""

    expression: re.Pattern[str]
    negated: bool
    folders_only: bool


@dataclass(frozen=True, slots=True)
class Patterns:
    """The lines of one file, in order; the last that matches decides (gitignore(5))."""

    lines: tuple[Pattern, ...] = ()

    def match(self, path: str, *, folder: bool) -> bool | None:
        """True: matched; False: matched by a `!` line; None: no line speaks of it."""
        for line in reversed(self.lines):
            if (folder or not line.folders_only) and line.expression.fullmatch(path):
                return not line.negated
        return None


def parse_patterns(text: str) -> Patterns:
    """Read the lines; what is no pattern is passed over, as git does."""
    lines = (_parse_line(line) for line in text[:MAX_BYTES].split("\n"))
    return Patterns(tuple(line for line in lines if line is not None))


def _parse_line(line: str) -> Pattern | None:
    text = line.rstrip("\r")
    text = text if text.endswith("\\ ") else text.rstrip(" \t")
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[1:] if negated or text.startswith(("\\#", "\\!")) else text
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text or text.count("*") + text.count("[") > MAX_WILDCARDS:
        return None
    anchored = "/" in text
    expression = _translate(text.lstrip("/"))
    try:
        compiled = re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL)
    except re.error:
        return None
    return Pattern(compiled, negated, folders_only)


_TOKENS: Final = re.compile(r"\*\*/|/\*\*$|\*+|\?|\[[!^]?\]?[^\]/]*\]|\\.|.", re.DOTALL)


def _translate(text: str) -> str:
    return "".join(_translate_token(token) for token in _TOKENS.findall(text))


def _translate_token(token: str) -> str:
    if token == "**/":  # noqa: S105 -- a piece of a pattern
        return "(?:.*/)?"
    if token == "/**":  # noqa: S105
        return "/.*"
    if token[0] == "*":
        return "[^/]*"
    if token == "?":  # noqa: S105
        return "[^/]"
    if token[0] == "[" and len(token) > 2:
        inner = token[1:-1].replace("\\", "\\\\")
        return f"(?!/)[^{inner[1:]}]" if inner[0] in "!^" else f"(?!/)[{inner}]"
    return re.escape(token[-1]) if token[0] == "\\" else re.escape(token)
