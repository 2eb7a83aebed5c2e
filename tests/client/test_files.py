"""Small files of the user, whatever stands there."""

import os
from pathlib import Path

import pytest

from cleanroom.client.files import SMALL, first_value, read_limited, read_small


def test_a_small_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x=\xff")
    assert read_small(str(tmp_path / "a")) == "x=\ufffd"


def test_anything_else_is_empty(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (SMALL + 1))
    os.mkfifo(tmp_path / "fifo")
    for name in ("large", "fifo", "absent", ".", "nul\0"):
        assert read_small(f"{tmp_path}/{name}") == ""


def test_values_are_read_no_further_than_the_first() -> None:
    values = iter(["", "a", "b"])
    assert first_value(values) == "a"
    assert next(values) == "b"
    assert first_value([]) == ""


def test_a_named_file_must_be_small_and_utf8(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_limited(str(path), 5) == "12345"
    with pytest.raises(ValueError, match="longer than 4 bytes"):
        read_limited(str(path), 4)
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        read_limited(str(path), 5)
