"""Which files the paths and globs of a policy name.

In: a pattern and a path, both relative with "/". Out: yes or no. Never: an import that costs the
client time; a path that leads upward.
"""

from typing import Final

MAX_FILES: Final = 256  # of one policy, and of each of its registries
MAX_BYTES: Final = 16 * 1024 * 1024  # of all of them together


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path is meant: `*` and `?` stay inside a folder, `**` is any depth, also 0."""
    parts = path.split("/")
    reached = {0}  # how many parts of the path the pattern so far may have used
    for step in pattern.split("/"):
        if step == "**":
            reached = set(range(min(reached, default=len(parts) + 1), len(parts) + 1))
        else:
            reached = {
                at + 1 for at in reached if at < len(parts) and matches_name(step, parts[at])
            }
    return len(parts) in reached


def matches_name(pattern: str, name: str) -> bool:
    """Tell whether one part of a path is meant, in time linear in pattern times name."""
    reached = {0}
    for letter in pattern:
        if letter == "*":
            reached = set(range(min(reached, default=len(name) + 1), len(name) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(name) and letter in ("?", name[at])}
    return len(name) in reached


def beside(path: str, other: str) -> str:
    """Return where `other`, written in the file `path`, leads; "" if it leaves the workspace."""
    parts = [] if other.startswith("/") else path.split("/")[:-1]
    for part in other.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "" if other.startswith("/") else "/".join(parts)
