"""What a YAML file says, before any schema: scalars, sequences, mappings, each with its place.

In: nothing. Out: Node. Never: a guessed type; a scalar is text until a schema reads it.
`start` and `end` are character offsets in the text; lines and columns start at 1.
"""

from dataclasses import dataclass

from cleanroom.policy.model import Place


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf. `plain` is false if it was quoted or a block, and then it is surely text."""

    text: str
    plain: bool
    place: Place
    start: int
    end: int

    @property
    def absent(self) -> bool:
        """Nothing was written after the colon or dash."""
        return self.plain and self.text == ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. `flow` is true if it was written `[a, b]`."""

    items: tuple["Node", ...]
    flow: bool
    place: Place
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in file order; no key occurs twice. `flow`: written `{a: b}`."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    flow: bool
    place: Place
    start: int
    end: int


Node = Scalar | Sequence | Mapping


def child(node: Node | None, key: str) -> Node | None:
    """Return the value under `key` if `node` is a mapping that has it."""
    if not isinstance(node, Mapping):
        return None
    return next((value for name, value in node.entries if name.text == key), None)


def content_end(node: Node) -> int:
    """Return the offset just after the last character that belongs to `node`.

    The parser ends a block collection where the next token starts, past blank lines and comments.
    """
    match node:
        case Sequence(items=items, flow=False) if items:
            return content_end(items[-1])
        case Mapping(entries=entries, flow=False) if entries:
            key, value = entries[-1]
            return max(key.end, content_end(value))
        case _:
            return node.end
