"""Strict YAML: text -> nodes with places. The subset that every reader understands alike.

In: text, bounded in size, depth and count. Out: one Node, or every problem with line and column.
Never: tags, anchors, aliases, merge keys, duplicate keys, directives, several documents; a scalar
guessed into a number, date or bool; recursion; more than milliseconds.

It reads the events of libyaml (YAML 1.1 grammar) itself: a composer would resolve aliases and
recurse on the depth of hostile input before anybody could say no.
"""

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Protocol, cast

import yaml

from cleanroom.errors import Code, Fault
from cleanroom.policy.model import Place
from cleanroom.policy.nodes import Node
from cleanroom.policy.problems import START, Problems, TooManyProblemsError
from cleanroom.policy.tree import Tree

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_NODES = 12_000

# Control characters, every line break but \n and \r\n, byte order marks, surrogates, noncharacters,
# and the marks that let a line show other text than it says (bidi controls: CVE-2021-42574).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff"
    "\ud800-\udfff]|\r(?!\n)"
)


class EventParser(Protocol):
    """The half of PyYAML's C parser that is used."""

    def check_event(self) -> bool: ...

    def get_event(self) -> yaml.Event: ...

    def dispose(self) -> None: ...


def read_yaml(text: str, problems: Problems) -> Node | None:
    """Return the one document of `text`, or None if it is empty or could not be read.

    Every problem is added to `problems`; with any, the node is what could be understood and only
    good for finding more problems. Raises Fault if PyYAML has no C parser.
    """
    parser = c_parser(yaml)
    if _too_long(text):
        problems.add(START, f"cannot read it: it is longer than {MAX_BYTES // 1024} KiB")
        return None
    if _forbidden_characters(text, problems):
        return None
    tree = Tree(problems, MAX_DEPTH, MAX_NODES)
    try:
        for event in _events(parser(text)):
            if not tree.feed(event):
                break
    except yaml.MarkedYAMLError as error:
        place = _place_of(error)
        hint = "indent with blanks, not with tabs" if _begins_with_tab(text, place) else ""
        problems.add(place, f"cannot read it as YAML: {error.problem}", hint)
        return None
    return tree.root


def _begins_with_tab(text: str, place: Place) -> bool:
    line = text.splitlines()[place.line - 1 : place.line]
    return bool(line) and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]


def c_parser(library: ModuleType) -> type["_Constructor"]:
    """Return libyaml's parser. Raises Fault if PyYAML was installed without it."""
    loader = getattr(library, "CBaseLoader", None)
    if loader is None:
        message = "cannot read YAML: PyYAML was installed without its C parser (libyaml)"
        raise Fault(Code.INTERNAL, message, "install PyYAML from a wheel, or libyaml-dev first")
    return cast("type[_Constructor]", loader)


class _Constructor(EventParser, Protocol):
    def __init__(self, stream: str) -> None: ...


def _events(parser: EventParser) -> Iterator[yaml.Event]:
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _too_long(text: str) -> bool:
    return len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES


def _forbidden_characters(text: str, problems: Problems) -> bool:
    """Note every forbidden character; true if there was one."""
    line, line_start = 1, 0
    found = False
    for match in _FORBIDDEN.finditer(text):
        found = True
        line += text.count("\n", line_start, match.start())
        line_start = text.rfind("\n", 0, match.start()) + 1
        place = Place(line, match.start() - line_start + 1)
        code = f"U+{ord(match.group()):04X}"
        problems.add(
            place, f"cannot read character {code}: it is invisible or no text", "remove it"
        )
    return found


def _place_of(error: yaml.MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return Place(mark.line + 1, mark.column + 1) if mark else START


__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "TooManyProblemsError", "c_parser", "read_yaml"]
