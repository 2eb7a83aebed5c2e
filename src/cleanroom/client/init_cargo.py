"""Which index cargo uses in place of its own, as its configuration says: for a first policy.

In: the user's and the project's files, the environment. Out: a URL. Never: a process, a credential,
or an index in git: the registries of a policy are asked by the sparse protocol.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cleanroom.client.facts import without_credentials
from cleanroom.client.files import read_small

_SPARSE: Final = "sparse+"
_MOST_SOURCES: Final = 8  # that replace one another


def cargo_configured(root: Path, environ: Mapping[str, str], home: str) -> str:
    """Return the sparse index that replaces cargo's own, "" if none does."""
    folder = environ.get("CARGO_HOME") or f"{home}/.cargo"
    sources: dict[str, Any] = {}
    for place in (folder, str(root / ".cargo")):  # the project's words count more
        for name in ("config", "config.toml"):
            sources.update(_sources(read_small(f"{place}/{name}")))
    name = "crates-io"
    for _ in range(_MOST_SOURCES):
        source = sources.get(name)
        replaced = source.get("replace-with") if isinstance(source, dict) else None
        if not isinstance(replaced, str):
            return _sparse(source)
        name = replaced
    return ""


def _sparse(source: object) -> str:
    registry = source.get("registry") if isinstance(source, dict) else None
    is_sparse = isinstance(registry, str) and registry.startswith(_SPARSE)
    return without_credentials(str(registry).removeprefix(_SPARSE)) if is_sparse else ""


def _sources(text: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text).get("source", {})
    except (ValueError, RecursionError):  # a number of 5,000 digits is no TOMLDecodeError
        return {}
    return found if isinstance(found, dict) else {}
