"""One at a time on what a sandbox left."""

import threading
from pathlib import Path

from cleanroom.backends.workspace.turn import turn


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    seen: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with turn(tmp_path):
            seen.append("second")

    other = threading.Thread(target=second)
    with turn(tmp_path):
        other.start()
        assert begun.wait(60)
        other.join(0.1)
        seen.append("first")
    other.join(60)
    assert seen == ["first", "second"]


def test_a_folder_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    with turn(tmp_path / "gone"), turn(tmp_path / "gone"):
        pass
