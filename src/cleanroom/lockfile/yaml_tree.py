"""YAML lock files -> plain values with the line of each key: pnpm's and yarn's.

In: text, maybe of several documents. Out: one Mapping a document. Never: tags, anchors, aliases,
a guessed type (every scalar is text), recursion, more nodes than the limit.
"""

from collections.abc import Iterator
from typing import Final, NoReturn, cast

import yaml

from cleanroom.lockfile.model import LIMITS, LockfileError


class Mapping(dict[str, "object"]):
    """A mapping; `lines` has the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


_MERGE: Final = "<<"


class _Documents:
    """Builds documents from events, on an own stack."""

    def __init__(self, *, repeats: bool) -> None:
        self._repeats = repeats
        self.done: list[object] = []
        self._open: list[tuple[Mapping | list[object], str | None]] = []
        self._nodes = 0

    def feed(self, event: yaml.Event) -> None:
        """Take one event. Raises LockfileError."""
        match event:
            case yaml.AliasEvent():
                _refuse("an alias", event)
            case yaml.ScalarEvent() | yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                value, _ = self._open.pop()
                self._add(value, event)
            case _:
                pass  # begin and end of the stream and of its documents

    def _begin(
        self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent
    ) -> None:
        self._nodes += 1
        if self._nodes > LIMITS.nodes or len(self._open) > LIMITS.depth:
            _refuse("too many or too deep values", event)
        if event.anchor is not None or event.tag is not None:
            _refuse("an anchor or a tag", event)
        if isinstance(event, yaml.ScalarEvent):
            self._add(event.value, event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._key_must_be_text(event)
            self._open.append((Mapping(), None))
        else:
            self._key_must_be_text(event)
            self._open.append(([], None))

    def _key_must_be_text(self, event: yaml.Event) -> None:
        if self._open and isinstance(self._open[-1][0], Mapping) and self._open[-1][1] is None:
            _refuse("a key that is no text", event)

    def _add(self, value: object, event: yaml.Event) -> None:
        if not self._open:
            self.done.append(value)
            return
        parent, key = self._open[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif key is None:
            text = str(value)
            if (text in parent and not self._repeats) or text == _MERGE:
                _refuse("a key twice, or one that merges", event)
            parent.lines[text] = _mark(event).line + 1
            self._open[-1] = (parent, text)
        else:
            parent[key] = value
            self._open[-1] = (parent, None)


def _mark(event: yaml.Event) -> yaml.Mark:
    return cast("yaml.Mark", event.start_mark)  # libyaml marks every event


def _refuse(what: str, event: yaml.Event) -> NoReturn:
    mark = _mark(event)
    message = f"cannot read it: it has {what}, which no writer of lock files makes"
    raise LockfileError(message, mark.line + 1, mark.column + 1)


def read_documents(text: str, *, repeats: bool = False) -> list[Mapping]:
    """Return the mapping of each document; empty documents are left out. Raises LockfileError.

    `repeats`: of a key that is there twice the last one counts, as yarn reads it.
    """
    documents = _Documents(repeats=repeats)
    try:
        for event in _events(text):
            documents.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"cannot read it as YAML: {error.problem}"
        raise LockfileError(message, line, column) from None
    except (yaml.YAMLError, UnicodeError):
        message = "cannot read it as YAML: it has characters that are no text"
        raise LockfileError(message) from None
    found = [each for each in documents.done if each != ""]
    mappings = [each for each in found if isinstance(each, Mapping)]
    if len(mappings) != len(found):
        message = "cannot read it: it is no mapping of keys"
        raise LockfileError(message)
    return mappings


def _events(text: str) -> Iterator[yaml.Event]:
    parser = yaml.CBaseLoader(text)
    try:
        while parser.check_event():
            yield cast("yaml.Event", parser.get_event())
    finally:
        parser.dispose()
