"""Volumes: whole or not there, the first one counts, the oldest go, one in use stays."""

import os
from pathlib import Path

import pytest

from cleanroom.daemon.mise_volumes import DATA, Volumes, make_layers
from cleanroom.errors import Refused

MIB = 1 << 20


def made(volumes: Volumes, key: str, content: bytes = b"tool") -> str:
    stage = volumes.stage()
    (stage / DATA / "tool").write_bytes(content)
    volume = volumes.publish(stage, key)
    volumes.discard(stage)
    return volume.path


def test_a_stage_becomes_a_volume_as_a_whole(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    assert volumes.find("key") is None
    stage = volumes.stage()
    (stage / DATA / "tool").write_text("tool")
    (stage / "work" / "work").mkdir(mode=0)  # as overlayfs leaves it
    assert volumes.find("key") is None
    volume = volumes.publish(stage, "key")
    assert volumes.find("key") == volume
    assert (Path(volume.path) / "tool").read_text() == "tool"
    assert volume.owner == (os.geteuid(), os.getegid())
    assert sorted(each.name for each in Path(volume.path).parent.iterdir()) == [DATA]
    assert not stage.exists()


def test_a_discarded_stage_leaves_nothing(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    stage = volumes.stage()
    volumes.discard(stage)
    volumes.discard(stage)
    assert list((tmp_path / "stages").iterdir()) == []


def test_the_first_of_two_volumes_of_a_key_counts(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    first = made(volumes, "key", b"first")
    assert made(volumes, "key", b"second") == first
    assert (Path(first) / "tool").read_bytes() == b"first"
    assert list((tmp_path / "stages").iterdir()) == []


def test_too_many_bytes_are_not_kept(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    stage = volumes.stage()
    (stage / DATA / "tool").write_bytes(os.urandom(2 * MIB))
    with pytest.raises(Refused, match=r"mise\.kept_tools"):
        volumes.publish(stage, "key")
    assert volumes.find("key") is None


def test_those_used_longest_ago_go_first_unless_they_are_in_use(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    paths = [made(volumes, key, os.urandom(MIB * 3 // 4)) for key in ("old", "held", "new")]
    for number, path in enumerate(paths):
        os.utime(Path(path).parent, (number, number))
    volumes.prune(frozenset({paths[1]}), before=0)
    assert [Path(path).exists() for path in paths] == [False, True, True]
    volumes.prune(frozenset(), before=0)
    assert [Path(path).exists() for path in paths] == [False, False, True]


def test_what_a_killed_daemon_staged_goes_in_time(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, MIB)
    volumes.prune(frozenset(), before=0)  # there is no folder yet
    old, fresh = volumes.stage(), volumes.stage()
    os.utime(old, (10, 10))
    volumes.prune(frozenset(), before=20)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_layers_are_made_again_without_harm(tmp_path: Path) -> None:
    make_layers(tmp_path / "mise")
    (tmp_path / "mise" / DATA / "kept").touch()
    make_layers(tmp_path / "mise")
    assert (tmp_path / "mise" / DATA / "kept").exists()
    assert (tmp_path / "mise" / "empty").stat().st_mode & 0o777 == 0o755
