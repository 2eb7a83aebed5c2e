"""Writes the generated pages, or with --check says which are stale.

In: the modules that own the facts. Out: files under docs/, or status 1 and the stale names.
Never: a page that a person writes.
"""

import sys
from pathlib import Path

from cleanroom import codes
from cleanroom.api import openapi
from cleanroom.cli import reference as cli_page
from cleanroom.daemon import config_page
from cleanroom.policy import agents_page, reference, schema

ROOT = Path(__file__).resolve().parent.parent


def rendered() -> dict[str, str]:
    """Return every generated page with the text it should have."""
    return {
        "docs/cli.md": cli_page.render_markdown(),
        "docs/codes.md": codes.render_markdown(),
        "docs/policy.md": reference.render_markdown(),
        "docs/agents.md": agents_page.render_markdown(),
        "docs/config.md": config_page.render_markdown(),
        "docs/cleanroom.schema.json": schema.render_json(),
        "docs/openapi.json": openapi.render(),
    }


def is_stale(path: Path, text: str) -> bool:
    """Say whether a page is missing or differs."""
    return not path.exists() or path.read_text(encoding="utf-8") != text


def main() -> int:
    """Write all pages, or only compare them; return the exit status."""
    stale = {page: text for page, text in rendered().items() if is_stale(ROOT / page, text)}
    for page, text in stale.items():
        if "--check" in sys.argv:
            sys.stderr.write(f"stale: {page} (run: make docs)\n")
        else:
            (ROOT / page).write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {page}\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
