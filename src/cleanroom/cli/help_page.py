"""Help that fits one screen: 24 lines of 80 columns, the last one the prompt's.

In: rows of a name and what it means, most important first. Out: lines. Never: a row left out: those
that do not fit are named together, with the command that explains them.
"""

import os
import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cleanroom.cli.parser import Parser

LINES: Final = 23
COLUMNS: Final = 80
NARROW: Final = 60  # below this, meanings stand below their names
MARGIN: Final = "  "
ALL: Final = "--all"  # beside --help: every row with its meaning

Row = tuple[str, str]


class Page(NamedTuple):
    """What stands around the rows, and which command explains those that did not fit."""

    head: Sequence[str]
    rows: Sequence[Row]
    foot: Sequence[str]
    more: str


def terminal_columns() -> int:
    """Return the width to write for: the terminal's, but never more than a page's."""
    return min(COLUMNS, shutil.get_terminal_size().columns) if os.isatty(1) else COLUMNS


def command_help(parser: Parser, words: Sequence[str] = (), columns: int | None = None) -> str:
    """Return the help of one command; `words` are those it was asked with."""
    operands = " ".join(name for name, _ in parser.operands)
    usage = f"Usage: {parser.prog} [flags] {operands}".rstrip()
    flags = sorted(parser.flags, key=lambda flag: not parser.rare.isdisjoint(flag.names))
    page = Page(
        (usage, "", parser.summary, ""),
        [*parser.operands, *((flag.usage, flag.text) for flag in flags)],
        ("", f"Example: {parser.example}"),
        f"{parser.prog} --help {ALL}",
    )
    lines = 0 if ALL in words else LINES
    return "\n".join(lay_out(page, columns or terminal_columns(), lines))


def lay_out(page: Page, columns: int, lines: int = LINES) -> list[str]:
    """Return the lines of a page; `lines` 0, or a narrow terminal: as many as it takes."""
    head = [line for text in page.head for line in _wrapped(text, columns, MARGIN)]
    foot = [line for text in page.foot for line in _wrapped(text, columns, MARGIN)]
    shown = _shower(page.rows, columns)

    def with_rows(count: int) -> list[str]:
        rows = [line for row in page.rows[:count] for line in shown(row)]
        names = "; ".join(name for name, _ in page.rows[count:])
        also = _wrapped(f"{MARGIN}Also ({page.more}): {names}", columns, MARGIN) if names else []
        return [*head, *rows, *also, *foot]

    count = len(page.rows)
    if lines and columns >= NARROW:
        while count and len(with_rows(count)) > lines:
            count -= 1
    return with_rows(count)


def _shower(rows: Sequence[Row], columns: int) -> Callable[[Row], list[str]]:
    """Return what shows one row, in columns that suit them all."""
    if columns < NARROW:
        return lambda row: [
            *_wrapped(MARGIN + row[0], columns, MARGIN),
            *_wrapped(2 * MARGIN + row[1], columns, 2 * MARGIN),
        ]
    width = max((len(name) for name, _ in rows), default=0)
    indent = " " * (2 * len(MARGIN) + width)
    return lambda row: _wrapped(f"{MARGIN}{row[0].ljust(width)}{MARGIN}{row[1]}", columns, indent)


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    """Return lines of a text; what it begins with stays as it is."""
    if len(text) <= columns:
        return [text]
    return textwrap.wrap(
        text,
        columns,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
        replace_whitespace=False,
    )
