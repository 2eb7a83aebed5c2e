"""How single values widen: by being more, less, added, turned, or by changing at all.

In: the name of a key, its older and its newer value. Out: Changes. Never: a value that cannot be
ordered passed over.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Change:
    """One thing a policy permits more: a sentence, or a key with its values before and after."""

    what: str
    before: str = ""
    after: str = ""

    def reversed(self) -> "Change":
        """Return the same step in the other direction."""
        return Change(self.what, self.after, self.before)

    def text(self) -> str:
        """Return it as a person reads it."""
        if self.before == self.after == "":
            return self.what
        return f"{self.what}: {self.before} -> {self.after}"


def changed(name: str, old: object, new: object) -> Iterator[Change]:
    """Any other value widens."""
    if old != new:
        yield Change(name, shown(old), shown(new))


def turned(name: str, old: bool, new: bool, *, to: bool) -> Iterator[Change]:  # noqa: FBT001
    """A flag widens by becoming `to`."""
    if old != new and new is to:
        yield Change(name, shown(old), shown(new))


def more(name: str, old: float | None, new: float | None) -> Iterator[Change]:
    """A bound widens by growing, or by going away (None)."""
    if old is not None and (new is None or new > old):
        yield Change(name, shown(old), shown(new))


def less(name: str, old: float | None, new: float | None, *, nothing: float) -> Iterator[Change]:
    """A wait widens by shrinking, or by going away (None, as good as `nothing`)."""
    before, after = (nothing if each is None else each for each in (old, new))
    if after < before:
        yield Change(name, shown(old), shown(new))


def added(name: str, old: Collection[object], new: Collection[object]) -> Iterator[Change]:
    """A list widens by each entry that is new."""
    for each in new:
        if each not in old:
            yield Change(f"{name}: {shown(each)}")


def other_fields(name: str, old: object, new: object, known: Collection[str]) -> Iterator[Change]:
    """Any change widens of a field that nobody named: whoever adds one need not know this file."""
    for each in fields(old):  # type: ignore[arg-type]
        if each.name not in known:
            full = f"{name}.{each.name}".lstrip(".")
            yield from changed(full, getattr(old, each.name), getattr(new, each.name))


def shown(value: object) -> str:
    """Return a value as a policy would say it."""
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case tuple():
            return "[" + ", ".join(map(shown, value)) + "]"
        case _:
            names = (each.name for each in fields(value))  # type: ignore[arg-type]
            return " ".join(f"{name}={shown(getattr(value, name))}" for name in names)
