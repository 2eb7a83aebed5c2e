"""docs/config.md is made of the table."""

from cleanroom.daemon.config import every_key
from cleanroom.daemon.config_page import render_markdown


def test_each_key_has_one_row() -> None:
    rows = [line for line in render_markdown().splitlines() if line.startswith("| `")]
    assert len(rows) == len(list(every_key()))
    assert all(row.count("|") == 6 for row in rows)
