"""The scalar types of our files: how each is written, and read from raw text.

In: scalars. Out: str, int, float, bool. Never: YAML 1.1's guesses (no = false, 0177 = 127,
1.10 = 1.1), quoted numbers, or what `int()` takes beyond plain ASCII digits.
Sizes are bytes, durations seconds.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from cleanroom.policy.fields import Leaf, MapOf, Wrong
from cleanroom.policy.hosts import (
    InvalidHostError,
    canonical_host,
    parse_host_pattern,
    parse_port,
)
from cleanroom.policy.model import RuleKind
from cleanroom.policy.nodes import Scalar
from cleanroom.policy.problems import nearest
from cleanroom.policy.sites import canonical_site

T = TypeVar("T")

MAX_TEXT = 256
MAX_ENTRIES = 64

_BOOL_OR_NULL = re.compile(r"|~|null|true|false|yes|no|on|off|y|n", re.IGNORECASE)
_NUMBER = re.compile(
    r"[-+]?(?:\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|0[xob][0-9a-f_]+"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\.inf)|\.nan",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,3})?")
_SIZE = re.compile(r"([1-9][0-9]{0,9})(KiB|MiB|GiB|TiB)")
_DURATION = re.compile(r"([1-9][0-9]{0,9})([smhd])")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def text(pattern: str = "", words: str = "text", most: int = MAX_TEXT) -> Leaf[str]:
    """Return the type of text that `pattern` (a whole match) admits."""
    wanted = re.compile(pattern, re.ASCII) if pattern else None

    def parse(node: Scalar) -> str:
        _refuse_guesses(node)
        if not node.text.isprintable() or len(node.text) > most:
            msg = f"it is one line of at most {most} characters"
            raise Wrong(msg)
        if wanted and not wanted.fullmatch(node.text):
            msg = f"it is {words}"
            raise Wrong(msg)
        return node.text

    schema: dict[str, object] = {"type": "string", "maxLength": most}
    return Leaf(parse, words, {**schema, "pattern": f"^(?:{pattern})$"} if pattern else schema)


def choice(*known: str) -> Leaf[str]:
    """Return the type of one of a few words."""

    def parse(node: Scalar) -> str:
        if node.text not in known:
            msg = f"it is {_either(known)}"
            raise Wrong(msg, nearest(node.text, known))
        return node.text

    return Leaf(parse, _either([f"`{word}`" for word in known]), {"enum": list(known)})


def _either(words: list[str] | tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def flag() -> Leaf[bool]:
    """Return the type of `true` and `false`, spelled so."""

    def parse(node: Scalar) -> bool:
        if not node.plain or node.text not in ("true", "false"):
            msg = "it is true or false"
            raise Wrong(msg, "write true or false, without quotes")
        return node.text == "true"

    return Leaf(parse, "true or false", {"type": "boolean"})


def count(low: int, high: int) -> Leaf[int]:
    """Return the type of whole numbers from `low` to `high`."""
    words = f"a whole number from {low} to {high}" if low < high else f"the number {low}"

    def parse(node: Scalar) -> int:
        if not node.plain or not _WHOLE.fullmatch(node.text) or not low <= int(node.text) <= high:
            msg = f"it is {words}"
            raise Wrong(msg, f"write {low}" if low == high else "")
        return int(node.text)

    return Leaf(parse, words, {"type": "integer", "minimum": low, "maximum": high})


def decimal(low: float, high: float) -> Leaf[float]:
    """Return the type of decimal numbers from `low` to `high`, at most three places."""
    words = f"a number from {low} to {high}"

    def parse(node: Scalar) -> float:
        if not node.plain or not _DECIMAL.fullmatch(node.text):
            msg = f"it is {words}"
            raise Wrong(msg)
        if not low <= float(node.text) <= high:
            msg = f"it is {words}"
            raise Wrong(msg)
        return float(node.text)

    return Leaf(parse, words, {"type": "number", "minimum": low, "maximum": high})


def size(low: int, high: int) -> Leaf[int]:
    """Return the type of sizes like `2GiB`, in bytes."""
    return _measured(_SIZE, _UNITS, (low, high), "a size like 512MiB or 2GiB")


def duration(low: int, high: int) -> Leaf[int]:
    """Return the type of durations like `90s`, `15m`, `1h`, `7d`, in seconds."""
    return _measured(_DURATION, _SECONDS, (low, high), "a duration like 90s, 15m, 1h or 7d")


def _measured(
    pattern: re.Pattern[str], units: dict[str, int], bounds: tuple[int, int], words: str
) -> Leaf[int]:
    def parse(node: Scalar) -> int:
        match = pattern.fullmatch(node.text)
        if match is None:
            msg = f"it is {words}"
            raise Wrong(msg, f"units are {', '.join(units)}")
        number = int(match[1]) * units[match[2]]
        if not bounds[0] <= number <= bounds[1]:
            msg = "it is out of range"
            raise Wrong(msg)
        return number

    schema = {"type": "string", "pattern": f"^{pattern.pattern}$"}
    return Leaf(parse, words, schema, units=units)


def host() -> Leaf[str]:
    """Return the type of one host name, canonical."""
    schema = {"type": "string", "maxLength": MAX_TEXT}
    return Leaf(lambda node: _hostly(canonical_host, node), "host name", schema)


def site() -> Leaf[str]:
    """Return the type of a registry's HOST or HOST/PATH, canonical."""
    schema = {"type": "string", "maxLength": MAX_TEXT}
    return Leaf(lambda node: _hostly(canonical_site, node), "HOST, or HOST/PATH", schema)


def host_pattern(verb: str) -> Leaf[tuple[RuleKind, str]]:
    """Return the type of what a rule names: host, `*.` wildcard, address or CIDR block."""
    words = "host name, `*.` wildcard, IP address or CIDR block"
    schema = {"type": "string", "maxLength": MAX_TEXT}
    return Leaf(lambda node: _hostly(parse_host_pattern, node), words, schema, verb)


def hosts_or_addresses() -> Leaf[str]:
    """Return the type of a host name, `*.` wildcard, address or block, canonical, as a text."""

    def parse(text: str) -> str:
        kind, value = parse_host_pattern(text)
        return f"*.{value}" if kind is RuleKind.WILDCARD else value

    words = "host name, `*.` wildcard, IP address or CIDR block"
    schema = {"type": "string", "maxLength": MAX_TEXT}
    return Leaf(lambda node: _hostly(parse, node), words, schema)


def _hostly(parse: Callable[[str], T], node: Scalar) -> T:
    if node.plain and _BOOL_OR_NULL.fullmatch(node.text):
        reason = "nothing is written" if node.absent else "it reads as true, false or nothing"
        raise Wrong(reason, "write a host name, in quotes if it is one")
    try:
        return parse(node.text)
    except InvalidHostError as error:
        raise Wrong(error.message, error.hint) from error


def port() -> Leaf[int]:
    """Return the type of ports."""

    def parse(node: Scalar) -> int:
        try:
            number = parse_port(node.text)
        except InvalidHostError as error:
            msg = "it is no port"
            raise Wrong(msg, error.hint) from error
        if not node.plain:
            msg = "it is text"
            raise Wrong(msg, f"write {number} without quotes")
        return number

    schema = {"type": "integer", "minimum": 1, "maximum": 65535}
    return Leaf(parse, "a port, 1 to 65535", schema)


def text_map() -> MapOf[str]:
    """Return the type of free mappings of text to text: at most MAX_ENTRIES."""
    name = text(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,62}[A-Za-z0-9])?", "a short name")
    return MapOf(name, text(), MAX_ENTRIES, "mapping of text to text")


def _refuse_guesses(node: Scalar) -> None:
    if not node.plain:
        return
    if node.absent:
        msg = "nothing is written"
        raise Wrong(msg)
    if _BOOL_OR_NULL.fullmatch(node.text) or _NUMBER.fullmatch(node.text):
        reason = "readers of YAML disagree whether it is text"
        raise Wrong(reason, f'write "{node.text}", in quotes')
