"""A world in a home of its own.

In: what its operator says. Out: a World that is taken down at the end, and its home removed.
Never: a certificate trusted that the test did not make.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import new_home, remove_tree
from tests.escape.egress_world import OPERATOR, Internet, World, opened


@contextlib.contextmanager
def new_world(
    config: str = "", internet: type[Internet] | None = None, roots: str = ""
) -> Iterator[World]:
    """A world whose gateway trusts `roots` (PEM).

    `config` goes on where the operator's `gateway` section ends.
    """
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    trust = ""
    if roots:
        (folder / "roots.pem").write_text(roots)
        trust = f"  trust: [{folder}/roots.pem]\n"
    try:
        text = f"{OPERATOR}{trust}{config}"
        with opened(new_home(folder), text, internet) as world:
            yield world
    finally:
        remove_tree(folder)
