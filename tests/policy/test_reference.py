from pathlib import Path

from cleanroom.policy.reference import render_markdown
from cleanroom.policy.schema import render_json

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_names_every_section_once() -> None:
    text = render_markdown()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Top level",
        "## `project`",
        "## `backends`",
        "## `sandbox`",
        "## `sandbox.network`",
        "## `sandbox.network.allow[]`",
        "## `sandbox.network.deny[]`",
        "## `sandbox.resources`",
        "## `sandbox.mise`",
        "## `registries`",
        "## `registries.npm`, `registries.pypi`, `registries.cargo`, `registries.go`, "
        "`registries.git`",
        "## `registries.npm.lockfile_enforcement`",
        "## `registries.npm.exceptions[]`",
        "## `secrets[]`",
        "## `secrets[].oauth2`",
        "## `secrets[].git`",
        "## `secrets[].git.push`",
    ]


def test_a_key_has_type_default_and_whether_it_is_enforced() -> None:
    text = render_markdown()
    assert "| `ttl_minutes` | a whole number from 1 to 43200 | `30` | yes |" in text
    assert "| `version` | the number 1 | required | yes |" in text
    assert "| `image` | an image reference | none | refuses to run |" in text
    assert "list of: a port, 1 to 65535 | `[80, 443]` | yes | TCP ports. |" in text


def test_the_committed_pages_are_fresh() -> None:
    assert (DOCS / "policy.md").read_text(encoding="utf-8") == render_markdown()
    assert (DOCS / "cleanroom.schema.json").read_text(encoding="utf-8") == render_json()
