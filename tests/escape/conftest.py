"""The worlds of these tests: those that a file shares and finds empty, one that a test may break.

In: a temporary folder. Out: World and Registries fixtures; a file may have its own of one name.
Never: a daemon left running.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.escape.egress_world import World, opened
from tests.escape.registry_world import Registries, registries
from tests.escape.worlds import new_world


@pytest.fixture(scope="module")
def shared_world(programs: Path) -> Iterator[World]:
    """One daemon and its outside for a whole file. Use `world`."""
    assert programs.is_dir()
    with new_world() as world:
        yield world


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


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Registries of a whole file. Use `outside`."""
    assert programs.is_dir()
    with registries() as made:
        yield made


@pytest.fixture
def outside(shared: Registries) -> Registries:
    """The registries of this file, in which nothing has arrived yet."""
    shared.world.internet.forget()
    return shared


@pytest.fixture(scope="module")
def token() -> Iterator[Path]:
    """Where the operator has a mirror's token; the file is the test's to write."""
    with tempfile.TemporaryDirectory(prefix="cr", dir="/tmp") as folder:
        yield Path(folder, "token")
