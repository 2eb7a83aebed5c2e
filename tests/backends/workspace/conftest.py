"""A workspace for each test; what an overlay leaves behind is removed whatever its mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends.workspace.upkeep import remove_tree
from tests.backends.workspace.overlays import Workspace


@pytest.fixture
def workspace(short_path: Path) -> Iterator[Workspace]:
    base = short_path / "w"
    base.mkdir()
    yield Workspace(base)
    remove_tree(base)
