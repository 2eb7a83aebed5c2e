"""What commands wrote is kept for a time and within a bound; of a living one always."""

import asyncio
import os
from pathlib import Path

from cleanroom.daemon.output import Chunk
from cleanroom.daemon.outputs import Outputs
from cleanroom.daemon.settings import LimitSettings

LIMITS = LimitSettings(kept_outputs=3000, keep_outputs_for=100)


def written(outputs: Outputs, name: str, size: int, at: float) -> None:
    """Make the output of one execution, last written to `at`."""
    spool = outputs.spool(name, lambda _: None)
    spool.write(Chunk(1, 0, b"x" * size), {1: 0, 2: 0})
    spool.close()
    folder = outputs.folder(name)
    for path in (*folder.iterdir(), folder):
        os.utime(path, (at, at))


def names(root: Path) -> set[str]:
    """Return whose output is there."""
    return {folder.name for folder in root.iterdir()}


def test_the_old_and_the_oldest_beyond_the_bound_go(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, LIMITS)
    written(outputs, "exe_old", 10, 800.0)
    written(outputs, "exe_live", 10, 800.0)
    for number in range(4):
        written(outputs, f"exe_{number}", 979, 950.0 + number)
    asyncio.run(outputs.clean(1000.0, frozenset({"exe_live"})))
    assert names(tmp_path) == {"exe_live", "exe_1", "exe_2", "exe_3"}


def test_without_any_output_there_is_nothing_to_do(tmp_path: Path) -> None:
    asyncio.run(Outputs(tmp_path / "none", LIMITS).clean(0.0, frozenset()))
