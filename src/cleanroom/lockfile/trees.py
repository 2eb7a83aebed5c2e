"""JSON, JSON with comments and TOML -> plain values; and on which line a key stands.

In: text. Out: dicts, lists, texts. Never: any error but LockfileError, whatever the text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import rtoml

from cleanroom.lockfile.model import LockfileError

Table = Mapping[str, object]

_COMMENTS: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_COMMAS: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*+[}\]])', re.DOTALL)
_PLACE: Final = re.compile(r" at line (\d+) column (\d+)\Z")
_KEY: Final = json.JSONEncoder(ensure_ascii=False).encode
_COLON: Final = re.compile(r"\s*:\s*")
_MISSES: Final = 16
_INDENT: Final = 64  # of a header, at most: a line is not searched for its begin again and again


def read_json(text: str) -> Table:
    """Return the object that the text is. Raises LockfileError."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"cannot read it as JSON: {error.msg}"
        raise LockfileError(message, error.lineno, error.colno) from None
    except (ValueError, RecursionError):
        message = "cannot read it as JSON: it is too deep, or a number is too long"
        raise LockfileError(message) from None
    return table(value, "the file")


def read_jsonc(text: str) -> Table:
    """Return the object of JSON with comments and trailing commas. Raises LockfileError."""
    plain = _COMMENTS.sub(_blank_comment, text)
    return read_json(_COMMAS.sub(_blank_comma, plain))


def _blank_comment(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)


def _blank_comma(match: re.Match[str]) -> str:
    return " " if match.group() == "," else match.group()


def read_toml(text: str) -> Table:
    """Return the table that the text is. Raises LockfileError."""
    try:
        return rtoml.loads(text)
    except rtoml.TomlParsingError as error:
        place = _PLACE.search(str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        message = f"cannot read it as TOML: {_PLACE.sub('', str(error))}"
        raise LockfileError(message, line, column) from None
    except UnicodeEncodeError as error:  # half of a character
        message = "cannot read it as TOML: it is no text"
        raise LockfileError(message, text.count("\n", 0, error.start) + 1) from None


def table(value: object, what: str, line: int = 1) -> Table:
    """Return the value if it is a table. Raises LockfileError."""
    if not isinstance(value, dict):
        message = f"cannot read it: {what} is not a table"
        raise LockfileError(message, line)
    return value


def part(parent: Table, key: str, line: int = 1) -> Table:
    """Return the table under a key; an absent one is empty."""
    return table(parent.get(key, {}), f"'{key}'", line)


def tables(parent: Table, key: str, line: int = 1) -> list[Table]:
    """Return the list of tables under a key; an absent one is empty."""
    value = parent.get(key, [])
    if not isinstance(value, list):
        message = f"cannot read it: '{key}' is not a list"
        raise LockfileError(message, line)
    return [table(each, f"an entry of '{key}'", line) for each in value]


def word(parent: Table, key: str, line: int = 1) -> str:
    """Return the text under a key; an absent one is "". Raises LockfileError for anything else."""
    value = parent.get(key, "")
    if not isinstance(value, str):
        message = f"cannot read it: '{key}' is not a text"
        raise LockfileError(message, line)
    return value


def words(parent: Table, key: str, line: int = 1) -> list[str]:
    """Return the list of texts under a key; an absent one is empty."""
    value = parent.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        message = f"cannot read it: '{key}' is not a list of texts"
        raise LockfileError(message, line)
    return value


def version_of(value: object) -> str:
    """Return a format's number as text, however it was written."""
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    return str(value) if plain and len(str(value)) < 40 else "?"


class KeyLines:
    """On which line each key of a JSON text stands, asked in the order of the text."""

    def __init__(self, text: str, opener: str) -> None:
        """`opener` is what the value of such a key begins with: "{" or "["."""
        self._text = text
        self._opener = opener
        self._at = 0
        self._line = 1
        self._misses = 0

    def of(self, key: str) -> int:
        """Return the line of the next such key; of the last one found, if it is not there."""
        written = _KEY(key)
        at = self._text.find(written, self._at) if self._misses < _MISSES else -1
        while at >= 0:
            if self._opens(at + len(written)):
                self._line += self._text.count("\n", self._at, at)
                self._at = at
                return self._line
            at = self._text.find(written, at + 1)
        self._misses += 1
        return self._line

    def _opens(self, at: int) -> bool:
        between = _COLON.match(self._text, at)
        return between is not None and self._text.startswith(self._opener, between.end())


def array_lines(text: str, name: str, count: int) -> Iterator[int]:
    """Yield the line of each `[[name]]` of a TOML text; 1 for all if they cannot be told."""
    header = re.compile(rf"\[\[[ \t]*+{re.escape(name)}[ \t]*+\]\]")
    found = (match.start() for match in header.finditer(text))
    starts = [at for at in found if text[at - 1 : at] == "\n" or _begins(text, at)]
    if len(starts) != count:
        starts = [0] * count
    line, last = 1, 0
    for start in starts:
        line += text.count("\n", last, start)
        last = start
        yield line


def _begins(text: str, at: int) -> bool:
    """Tell whether there are only blanks before it on its line."""
    before = text[max(0, at - _INDENT) : at].rstrip(" \t")
    return not before or before.endswith("\n")
