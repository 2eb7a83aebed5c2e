"""Prints which of some versions are the newest; real dependencies, a real test."""

import sys

from jinja2 import Environment
from packaging.version import Version

TEMPLATE = "{{ name }}: {{ newest }} of {{ count }} version{{ 's' if count != 1 }}"


def report(name: str, versions: list[str]) -> str:
    """Return one line about a project; `versions` in any order, at least one."""
    newest = max(versions, key=Version)
    text = Environment(autoescape=True).from_string(TEMPLATE)
    return text.render(name=name, newest=newest, count=len(versions))


if __name__ == "__main__":
    print(report(sys.argv[1], sys.argv[2:]))
