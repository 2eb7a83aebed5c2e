"""The worlds of the egress tests: one that tests share and find empty, one that a test may break.

In: a temporary folder. Out: World fixtures. Never: a daemon left running.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home, remove_tree
from tests.escape.egress_world import World, opened


@pytest.fixture(scope="module")
def shared_world(programs: Path) -> Iterator[World]:
    """One daemon and its outside for a whole file. Use `world`."""
    assert programs.is_dir()
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    names = ("home", "runtime", "state", "cache", "x")
    made = Home(*(folder / name[0] for name in names))
    for path in (made.home, made.runtime, made.state, made.cache, made.config):
        path.mkdir(mode=0o700)
    with opened(made) as world:
        yield world
    remove_tree(folder)


@pytest.fixture
def world(shared_world: World) -> World:
    """The world of this file, in which nothing has arrived yet."""
    shared_world.internet.forget()
    return shared_world


@pytest.fixture
def own_world(home: Home, programs: Path) -> Iterator[World]:
    """A world of this test alone, which it may break."""
    assert programs.is_dir()
    with opened(home) as made:
        yield made
