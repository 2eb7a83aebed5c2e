"""docs/policy.md: every key with type, default and whether it is enforced, from the parser's table.

In: nothing. Out: Markdown. Never: a word about a key that is not in its own definition.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.policy.fields import Key, ListOf, Section
from cleanroom.policy.parse import POLICY

_HEAD: Final = """\
<!-- Generated from the parser's own table of keys; a test fails when it is stale. -->
# cleanroom.yaml

The policy of a repository stands at its root as `cleanroom.yaml`; `.buildkite/cleanroom.yaml`
counts only if there is none. Without a file, and without `sandbox.network`, nothing may be reached.

The file is YAML without its guesses: no anchors, aliases, tags, merge keys or duplicate keys;
numbers and true/false are plain words, text that reads like one of them is quoted. An unknown key
is an error. Bounds: 64 KiB, 32 levels, 1,000 rules. `cleanroom policy validate` lists every problem
with its line and column.

**Enforced** says what this version does: "yes", or what a policy that uses the key meets.
"""


def render_markdown() -> str:
    """Return the whole reference page."""
    return "\n".join([_HEAD, *_section("", POLICY)])


def _section(name: str, section: Section[object]) -> Iterator[str]:
    yield f"## `{name}`" if name else "## Top level"
    yield ""
    yield "| Key | Type | Default | Enforced | Meaning |"
    yield "|---|---|---|---|---|"
    for key in section.keys:
        yield _row(key)
    yield ""
    for names, inner in _inner_sections(name.partition("`")[0], section):
        yield from _section(names, inner)


def _row(key: Key[object]) -> str:
    default = "required" if key.required else (f"`{key.shown}`" if key.shown else "none")
    cells = (f"`{key.name}`", key.value.words, default, key.later or "yes", key.meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _inner_sections(name: str, section: Section[object]) -> Iterator[tuple[str, Section[object]]]:
    """Yield the sections below, equal ones (the registries) once under all their names."""
    found: dict[tuple[int, ...], tuple[Section[object], list[str]]] = {}
    for key in section.keys:
        value = key.value
        mark = "[]" if isinstance(value, ListOf) else ""
        inner = value.item if isinstance(value, ListOf) else value
        if isinstance(inner, Section):
            same = tuple(map(id, inner.keys))
            names = found.setdefault(same, (inner, []))[1]
            names.append(f"{name}.{key.name}{mark}".removeprefix("."))
    for inner, names in found.values():
        yield "`, `".join(names), inner
