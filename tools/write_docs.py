"""Writes the generated pages, or with --check says which are stale.

In: the modules that own the facts. Out: files under docs/, or status 1 and the stale names.
Never: a page that a person writes.
"""

import json
import sys
from pathlib import Path

from cleanroom import __version__, codes
from cleanroom.api import openapi
from cleanroom.daemon import config
from cleanroom.policy import reference

ROOT = Path(__file__).resolve().parent.parent

CONFIG_HEAD = """\
# The operator's settings

`config.yaml` belongs to the person who runs the daemon, never to a repository: it lies at
`$XDG_CONFIG_HOME/cleanroom/config.yaml` (root: `/etc/cleanroom/config.yaml`). It is read as strictly as a policy. Strongest
first: a flag, a variable (`gateway.proxy` is `CLEANROOM_GATEWAY_PROXY`), the file, the default.
`cleanroom config show --origin` names the source of each value. This page is generated: `make docs`.

```yaml
tools:
  - /opt/node-22/bin
gateway:
  private_hosts: [registry.corp.example]
  trust: [/etc/ssl/corp-root.pem]
```

"""


def rendered() -> dict[str, str]:
    """Return every generated page with the text it should have."""
    document = json.dumps(openapi.document(__version__), indent=2)
    return {
        "docs/codes.md": codes.render_markdown(),
        "docs/policy.md": reference.render_markdown(),
        "docs/config.md": CONFIG_HEAD + config.render_markdown(),
        "docs/openapi.json": document + "\n",
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
