import os
from pathlib import Path

import pytest

from cleanroom.cache.identity import key_of


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = key_of(tmp_path)
    assert len(key) == 32
    assert key_of(tmp_path) == key
    assert [file.name for file in tmp_path.iterdir()] == ["identity.key"]
    assert (tmp_path / "identity.key").stat().st_mode & 0o777 == 0o600


def test_each_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert key_of(tmp_path) != key_of(tmp_path / "other")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_damaged_key_is_made_anew(tmp_path: Path, size: int) -> None:
    (tmp_path / "identity.key").write_bytes(bytes(size))
    key = key_of(tmp_path)
    assert key != bytes(32)
    assert key_of(tmp_path) == key
    assert len(key) == 32


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / "identity.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        key_of(tmp_path)


def test_of_two_who_make_it_at_once_the_first_ones_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(draft: str, path: str, **more: bool) -> None:
        Path(path).write_bytes(b"k" * 32)
        link(draft, path, **more)

    monkeypatch.setattr(os, "link", late)
    assert key_of(tmp_path) == b"k" * 32
    assert [file.name for file in tmp_path.iterdir()] == ["identity.key"]
