"""The lines of requirements.txt as pip joins them, and the files that they name.

In: text. Out: lines without comments, paths of `-r` and `-c` as written. Never: an import that
costs the client time; it reads those files too.
"""

import re
from collections.abc import Iterator
from typing import Final

FILES: Final = re.compile(r"(?:--(?:requirement|constraint)[= ]|-[rc] ?)(.+)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


def included_files(text: str) -> Iterator[str]:
    """Yield what the lines of `-r` and `-c` name, as written."""
    for line, _ in logical_lines(text):
        if files := FILES.fullmatch(line):
            yield files[1]


def logical_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield lines with their continuations, comments gone, and the number of their first line."""
    whole: list[str] = []
    first = 0
    for number, raw in enumerate([*text.split("\n"), ""], 1):
        line = raw.rstrip("\r")
        if not whole:
            first = number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            whole.append(line[:-1])
            continue
        whole.append(" " + line if comment else line)
        # single spaces: the patterns of readers then have one way to match, on any text
        joined = " ".join(_COMMENT.sub("", " ".join(whole)).split())
        whole = []
        if joined:
            yield joined, first
