"""Volumes on disk: whose they are, how they go."""

from pathlib import Path

import pytest

from cleanroom.api.mount_types import VolumeRequest
from cleanroom.daemon.volumes import Identity, Volumes
from cleanroom.errors import Fault

ANN = Identity("/home/ann/project", "mark")
HOME = VolumeRequest(name="home", at="/home/cleanroom")


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path / "volumes", 1 << 20)


def upper(volumes: Volumes, of: Identity, request: VolumeRequest = HOME) -> Path:
    overlay = volumes.overlay(of, request, make=True)
    assert overlay.upper is not None
    return Path(overlay.upper)


def test_the_same_name_in_the_same_workspace_is_the_same_volume(volumes: Volumes) -> None:
    (upper(volumes, ANN) / "history").write_text("ls")
    assert (upper(volumes, ANN) / "history").read_text() == "ls"
    other_place = VolumeRequest(name="home", at="/elsewhere")
    assert upper(volumes, ANN, other_place) == upper(volumes, ANN)


def test_another_workspace_or_another_folder_at_its_path_shares_nothing(volumes: Volumes) -> None:
    others = (
        Identity("/home/ann/other", "mark"),
        Identity(ANN.path, "another folder"),
        Identity(ANN.path + "mark", ""),
    )
    uppers = {upper(volumes, each) for each in (ANN, *others)}
    assert len(uppers) == 4
    assert len(volumes.every()) == 4
    assert upper(volumes, ANN, VolumeRequest(name="cache", at="/c")) not in uppers


def test_a_volume_that_is_put_aside_is_gone_at_once_and_then_for_good(volumes: Volumes) -> None:
    (upper(volumes, ANN) / "history").write_text("ls")
    (kept,) = volumes.every()
    assert (kept.name, kept.of, kept.size > 0) == ("home", ANN, True)
    aside = volumes.put_aside(kept)
    assert volumes.every() == []
    assert list(upper(volumes, ANN).iterdir()) == []
    volumes.clear()
    assert not aside.exists()
    assert len(volumes.every()) == 1


def test_what_is_no_volume_is_none(volumes: Volumes) -> None:
    assert volumes.every() == []
    folder = upper(volumes, ANN).parent
    for text in ("", "[]", "{}", '{"name": "home", "of": {"path": "/"}}'):
        (folder / "about.json").write_text(text)
        assert volumes.every() == []


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "volumes").touch()
    with pytest.raises(Fault, match="cannot make the volume 'home'"):
        Volumes(tmp_path / "volumes", 1).overlay(ANN, HOME, make=True)
