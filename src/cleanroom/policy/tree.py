"""Events of a YAML parser -> one tree of nodes, refusing what only some readers understand.

In: events, one at a time. Out: `root`. Never: recursion, an alias followed, a key kept twice.
"""

from dataclasses import dataclass, field
from typing import Protocol

import yaml

from cleanroom.policy.model import Place
from cleanroom.policy.nodes import Mapping, Node, Scalar, Sequence
from cleanroom.policy.problems import Problems, quoted_key


@dataclass(slots=True)
class _Open:
    """A collection whose end was not seen yet. `key` waits for its value."""

    mapping: bool
    flow: bool
    place: Place
    start: int
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    wants_key: bool = True
    key: Scalar | None = None  # None while wants_key is false: the value belongs to a refused key

    def close(self, end: int) -> Node:
        if self.mapping:
            return Mapping(tuple(self.entries.values()), self.flow, self.place, self.start, end)
        return Sequence(tuple(self.items), self.flow, self.place, self.start, end)


class Tree:
    """Builds the nodes of one document."""

    def __init__(self, problems: Problems, max_depth: int, max_nodes: int) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._max_depth = max_depth
        self._nodes_left = max_nodes
        self._open: list[_Open] = []
        self._documents = 0

    def feed(self, event: yaml.Event) -> bool:
        """Take one event; false if the rest of the file cannot be read."""
        match event:
            case yaml.ScalarEvent():
                self._refuse_properties(event)
                return self._add(_scalar(event, event.value, plain=event.implicit[0]))
            case yaml.CollectionStartEvent():
                return self._start_collection(event)
            case yaml.CollectionEndEvent():
                return self._add(self._open.pop().close(_marks(event)[1].index))
            case yaml.AliasEvent():
                self._refuse(event, "cannot use an alias ('*name')", "write the value out")
                return self._add(_scalar(event, "", plain=True))
            case yaml.DocumentStartEvent():
                return self._start_document(event)
            case _:
                return True

    def _start_document(self, event: yaml.DocumentStartEvent) -> bool:
        self._documents += 1
        if self._documents > 1:
            self._refuse(event, "cannot read a second document", "one file holds one document")
            return False
        if event.version or event.tags:
            self._refuse(event, "cannot use a YAML directive ('%…')", "remove the line")
        return True

    def _start_collection(self, event: yaml.CollectionStartEvent) -> bool:
        self._refuse_properties(event)
        if len(self._open) >= self._max_depth:
            self._refuse(event, f"cannot nest deeper than {self._max_depth} levels")
            return False
        mapping = isinstance(event, yaml.MappingStartEvent)
        start = _marks(event)[0].index
        self._open.append(_Open(mapping, bool(event.flow_style), _place(event), start))
        return True

    def _add(self, node: Node) -> bool:
        """Put a finished node where it belongs; false if there are too many."""
        self._nodes_left -= 1
        if self._nodes_left < 0:
            self._problems.add(node.place, "cannot read it: it has too many values")
            return False
        if not self._open:
            self.root = node
        elif not self._open[-1].mapping:
            self._open[-1].items.append(node)
        elif self._open[-1].wants_key:
            self._add_key(self._open[-1], node)
        else:
            self._add_value(self._open[-1], node)
        return True

    def _add_key(self, parent: _Open, node: Node) -> None:
        parent.wants_key = False
        parent.key = None
        if not isinstance(node, Scalar):
            self._problems.add(node.place, "cannot use a list or mapping as a key")
        elif node.plain and node.text == "<<":
            self._problems.add(node.place, "cannot use a merge key ('<<')", "write the keys out")
        elif node.text in parent.entries:
            first = parent.entries[node.text][0].place.line
            message = f"cannot repeat {quoted_key(node.text)}: line {first} has it already"
            self._problems.add(node.place, message, "keep one of them")
        else:
            parent.key = node

    def _add_value(self, parent: _Open, node: Node) -> None:
        parent.wants_key = True
        if parent.key is not None:
            parent.entries[parent.key.text] = (parent.key, node)

    def _refuse_properties(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(
                event, "cannot use an anchor ('&name')", "write the value out where needed"
            )
        if event.tag is not None:
            self._refuse(event, "cannot use a tag ('!…')", "quote the value if it is text")

    def _refuse(self, event: yaml.Event, message: str, hint: str = "") -> None:
        self._problems.add(_place(event), message, hint)


class _Mark(Protocol):
    index: int
    line: int
    column: int


_NOWHERE = yaml.Mark("", 0, 0, 0, None, 0)  # the types allow no mark; libyaml marks every event


def _marks(event: yaml.Event) -> tuple[_Mark, _Mark]:
    return event.start_mark or _NOWHERE, event.end_mark or _NOWHERE


def _place(event: yaml.Event) -> Place:
    start = _marks(event)[0]
    return Place(start.line + 1, start.column + 1)


def _scalar(event: yaml.Event, text: str, *, plain: bool) -> Scalar:
    start, end = _marks(event)
    return Scalar(text, plain, _place(event), start.index, end.index)
