"""Writes the generated pages, or with --check says which are stale.

In: the modules that own the facts. Out: files under docs/, or status 1 and the stale names.
Never: a page that a person writes.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# page -> the function that renders it, as module:function
PAGES = {
    "docs/codes.md": "cleanroom.codes:render_markdown",
    "docs/policy.md": "cleanroom.policy.reference:render_markdown",
    "docs/cleanroom.schema.json": "cleanroom.policy.schema:render_json",
    "docs/config.md": "cleanroom.daemon.config:render_markdown",
}


def rendered() -> dict[Path, str]:
    """Return every generated page with the text it should have."""
    pages = {}
    for page, source in PAGES.items():
        module, function = source.split(":")
        render: Callable[[], str] = getattr(importlib.import_module(module), function)
        pages[ROOT / page] = render()
    return pages


def main() -> int:
    """Write all pages, or only compare them; return the exit status."""
    stale = [
        (path, text)
        for path, text in rendered().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if "--check" in sys.argv:
            sys.stderr.write(f"stale: {path.relative_to(ROOT)} (run: make docs)\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
