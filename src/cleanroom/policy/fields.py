"""Schemas as values: each key of a file is written once, and parser, docs and JSON Schema read it.

In: nodes, and tables of keys. Out: typed values, every problem noted with place and full key name.
Never: an unknown key ignored, a default that differs from the documented one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from cleanroom.policy import nodes
from cleanroom.policy.model import Place
from cleanroom.policy.nodes import Node, Scalar
from cleanroom.policy.problems import Problems, nearest, quoted, quoted_key

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value is being read: the collector, and the name of the key for messages."""

    problems: Problems
    name: str

    def inside(self, key: str) -> "Spot":
        """Return the spot of a key below this one."""
        return Spot(self.problems, f"{self.name}.{key}" if self.name else key)

    def wrong(self, place: Place, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.add(place, message, hint)


class Value(Protocol[T_co]):
    """A type that a node can be read as. `words` and `json_schema()` describe it to people."""

    @property
    def words(self) -> str: ...

    def json_schema(self) -> Mapping[str, object]: ...

    def read(self, node: Node, spot: Spot) -> T_co | None:
        """Return the value; None if a problem was noted instead."""
        ...


class Wrong(Exception):  # noqa: N818 -- a value refused, caught where its place is known
    """A scalar's text is not of the wanted type: the reason, and what to write."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T_co]):
    """A scalar type. `parse` raises Wrong; `verb` replaces "use" in messages ("cannot allow …").

    `units`: what a number is written in (`64MiB`), smallest first.
    """

    parse: Callable[[Scalar], T_co]
    words: str
    schema: Mapping[str, object]
    verb: str = ""
    units: Mapping[str, int] | None = None

    def json_schema(self) -> Mapping[str, object]:
        """Return the draft-07 schema of one value."""
        return self.schema

    def written(self, value: object) -> object:
        """Return a value as a file says it."""
        if self.units is None or not isinstance(value, int):
            return value
        fits = [name for name, unit in self.units.items() if value >= unit and value % unit == 0]
        name = fits[-1] if fits else next(iter(self.units))
        return f"{value // self.units[name]}{name}"

    def read(self, node: Node, spot: Spot) -> T_co | None:
        """Return the value; None if a problem was noted instead."""
        if not isinstance(node, Scalar):
            kind = "a list" if isinstance(node, nodes.Sequence) else "a mapping"
            spot.wrong(node.place, f"cannot use {kind} for {spot.name}: it is {self.words}")
            return None
        try:
            return self.parse(node)
        except Wrong as wrong:
            verb = self.verb or "use"
            where = "" if self.verb else f" for {spot.name}"
            message = f"cannot {verb} {quoted(node.text)}{where}: {wrong.reason}"
            spot.wrong(node.place, message, wrong.hint)
            return None


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T_co]):
    """A list of `least` to `most` values of one type."""

    item: Value[T_co]
    most: int
    least: int = 0

    @property
    def words(self) -> str:
        """Return how the reference calls it."""
        return f"list of: {self.item.words}"

    def json_schema(self) -> Mapping[str, object]:
        """Return the draft-07 schema of the list."""
        bounds = {"minItems": self.least} if self.least else {}
        kind = "array" if self.least else ["array", "null"]
        return {"type": kind, "items": self.item.json_schema(), "maxItems": self.most, **bounds}

    def read(self, node: Node, spot: Spot) -> tuple[T_co, ...] | None:
        """Return the values that could be read; None if it is no list of the right length."""
        if isinstance(node, Scalar) and node.absent and not self.least:
            return ()
        if not isinstance(node, nodes.Sequence):
            spot.wrong(
                node.place, f"cannot use one value for {spot.name}: it is a list", "write '- '"
            )
            return None
        if not self.least <= len(node.items) <= self.most:
            wanted = f"{self.least} to {self.most} entries"
            spot.wrong(
                node.place, f"cannot use {len(node.items)} entries for {spot.name}: {wanted}"
            )
            return None
        values = (self.item.read(item, spot) for item in node.items)
        return tuple(value for value in values if value is not None)


@dataclass(frozen=True, slots=True)
class MapOf(Generic[T_co]):
    """A mapping of names to values of one type: at most `most`, in file order."""

    name: Value[str]
    item: Value[T_co]
    most: int
    words: str

    def json_schema(self) -> Mapping[str, object]:
        """Return the draft-07 schema of the mapping."""
        return {
            "type": ["object", "null"],
            "propertyNames": self.name.json_schema(),
            "additionalProperties": self.item.json_schema(),
            "maxProperties": self.most,
        }

    def read(self, node: Node, spot: Spot) -> tuple[tuple[str, T_co], ...] | None:
        """Return the pairs that could be read; None if it is no mapping or too long."""
        if isinstance(node, Scalar) and node.absent:
            return ()
        if not isinstance(node, nodes.Mapping):
            spot.wrong(node.place, f"cannot use this for {spot.name}: it is a {self.words}")
            return None
        if len(node.entries) > self.most:
            spot.wrong(node.place, f"cannot use more than {self.most} entries for {spot.name}")
            return None
        pairs = []
        for name, value in node.entries:
            key = self.name.read(name, spot)
            content = self.item.read(value, spot.inside(quoted(name.text)))
            if key is not None and content is not None:
                pairs.append((key, content))
        return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Key(Generic[T_co]):
    """One key of a section: its type, what it means, what its absence means.

    `shown` is the default as people write it; `later` says what is missing until it is enforced.
    A required key still has a default, to stand in while other problems are looked for.
    """

    name: str
    value: Value[T_co]
    default: T_co
    meaning: str
    shown: str = ""
    required: bool = False
    later: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """The entries of one section that is being read."""

    place: Place
    entries: Mapping[str, tuple[Scalar, Node]]
    spot: Spot

    def read(self, key: Key[T]) -> T:
        """Return the key's value, or its default if it is absent or a problem was noted."""
        entry = self.entries.get(key.name)
        if entry is None:
            return key.default
        value = key.value.read(entry[1], self.spot.inside(key.name))
        return key.default if value is None else value

    def has(self, key: Key[object]) -> bool:
        """Tell whether the key was written."""
        return key.name in self.entries

    def place_of(self, key: Key[object]) -> Place:
        """Return where the key's value stands; the section's place if it is absent."""
        entry = self.entries.get(key.name)
        return self.place if entry is None else entry[1].place

    def wrong(self, key: Key[object], message: str, hint: str = "") -> None:
        """Note a problem at the key's value: for rules that join several keys."""
        self.spot.wrong(self.place_of(key), message, hint)


@dataclass(frozen=True, slots=True)
class Section(Generic[T_co]):
    """A mapping with known keys only; `build` joins their values to one."""

    keys: tuple[Key[object], ...]
    build: Callable[[Fields], T_co]
    words: str = "section"
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # a likely wrong key -> its hint

    def json_schema(self) -> Mapping[str, object]:
        """Return the draft-07 schema of the section."""
        properties = {key.name: _property(key) for key in self.keys}
        required = [key.name for key in self.keys if key.required]
        more = {"required": required} if required else {}
        kind = ["object", "null"]
        return {"type": kind, "properties": properties, "additionalProperties": False, **more}

    def read(self, node: Node, spot: Spot) -> T_co | None:
        """Return the section's value; None if it is no mapping."""
        if isinstance(node, Scalar) and node.absent:
            node = nodes.Mapping((), flow=False, place=node.place, start=node.start, end=node.end)
        if not isinstance(node, nodes.Mapping):
            name = spot.name or "the file"
            hint = f"write '{self.keys[0].name}: …'"
            spot.wrong(node.place, f"cannot read {name}: it is a mapping of keys", hint)
            return None
        return self.build(self._fields(node, spot))

    def _fields(self, node: nodes.Mapping, spot: Spot) -> Fields:
        known = {key.name for key in self.keys}
        entries = {name.text: (name, value) for name, value in node.entries}
        for name, _ in node.entries:
            if name.text not in known:
                where = f"in {spot.name}" if spot.name else "at the top level"
                hint = self.elsewhere.get(name.text) or nearest(name.text, sorted(known))
                message = f"cannot use {quoted_key(name.text)} {where}: it is unknown"
                spot.wrong(name.place, message, hint)
        for key in self.keys:
            if key.required and key.name not in entries:
                missing = spot.inside(key.name).name
                spot.wrong(node.place, f"cannot do without {missing}", f"write '{key.name}: …'")
        return Fields(node.place, entries, spot)


def _property(key: Key[object]) -> Mapping[str, object]:
    later = f" Not enforced yet: {key.later}." if key.later else ""
    return {**key.value.json_schema(), "description": key.meaning + later}
