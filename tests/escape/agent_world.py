"""A world of somebody who has logged in to coding agents, before servers of the test's own.

In: which Internet, the certificate it is trusted by. Out: World; variables and login files of the
person. Never: a variable or a file of whoever runs the tests.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cleanroom.policy.agent_recipes import RECIPES
from tests.conftest import Home, remove_tree
from tests.escape.egress_world import OPERATOR, Internet, World, opened

VARIABLES: Final[dict[str, str]] = {}  # that the person has
EVERY: Final = [(recipe, each) for recipe in RECIPES.values() for each in recipe.credentials]


class _Person(Home):
    """Somebody with variables."""

    @property
    def environment(self) -> dict[str, str]:
        """Implement Home."""
        return {**super().environment, **VARIABLES}


@contextlib.contextmanager
def agent_world(internet: type[Internet], roots: str, config: str = "") -> Iterator[World]:
    """One daemon whose operator says nothing of secrets."""
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    made = _Person(*(folder / name for name in ("h", "r", "s", "c", "x")))
    for path in (made.home, made.runtime, made.state, made.cache, made.config):
        path.mkdir(mode=0o700)
    (folder / "roots.pem").write_text(roots)
    text = f"{OPERATOR}  trust: [{folder}/roots.pem]\n{config}"
    try:
        with opened(made, text, internet) as world:
            yield world
    finally:
        remove_tree(folder)


def log_in(world: World, path: str, values: dict[str, str]) -> None:
    """Write a login file as the agent outside does; `values` are by JSON pointer."""
    whole: dict[str, Any] = {}
    for pointer, value in values.items():
        *above, last = pointer.split("/")[1:]
        inner = whole
        for word in above:
            inner = inner.setdefault(word, {})
        inner[last] = value
    file = world.home.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(whole))


def log_out(world: World) -> None:
    """Take all logins away."""
    VARIABLES.clear()
    for _, credential in EVERY:
        if credential.login is not None:
            (world.home.home / credential.login[0]).unlink(missing_ok=True)
