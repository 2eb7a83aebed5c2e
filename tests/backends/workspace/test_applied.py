"""What stands on the host as the sandbox has it, or holds what it has."""

from pathlib import Path

from cleanroom.backends.workspace.applied import marks_of, remember
from cleanroom.backends.workspace.saved import Places


def test_marks_are_added_replaced_and_forgotten(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert marks_of(places) == {}
    remember(places, {"a": 1, "b": 2})
    remember(places, {"a": "file 0 x", "c": 3}, gone=["b", "never"])
    assert marks_of(places) == {"a": "file 0 x", "c": 3}


def test_what_is_damaged_is_not_believed(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.applied.write_text('{"a": [1], "b": 2}')
    assert marks_of(places) == {"b": 2}
    places.applied.write_text("{")
    assert marks_of(places) == {}
