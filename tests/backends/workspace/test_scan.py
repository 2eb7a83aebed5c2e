"""Looking through a workspace, and believing what is known of it."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace.scan import Scan, ScanCache, scan


def old(*places: Path) -> None:
    """Not changed a moment ago, so that the cache is believed."""
    for place in places:
        os.utime(place, (1, 1))


def found(root: Path, cache: ScanCache | None = None) -> tuple[str, ...]:
    return scan(str(root), None, cache or ScanCache()).left_out


def test_secrets_anywhere_but_among_installed_packages(tmp_path: Path) -> None:
    for path in (".env", "a/b/.netrc", "node_modules/p/.env", ".venv/x/.env", ".git/.env"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert found(tmp_path) == (".env", "a/b/.netrc")


def test_a_link_is_left_out_by_name_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / ".env").touch()
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / ".env").symlink_to("/etc/hostname")
    (tmp_path / "key.pem").symlink_to("/etc/hostname")
    assert found(tmp_path) == (".env", "inside/.env")


def test_cleanroomignore_adds_and_takes_back_only_what_it_added(tmp_path: Path) -> None:
    lines = "/private/\n*.sql\n!schema.sql\n!fixture.key\n!.env\n"
    (tmp_path / ".cleanroomignore").write_text(lines)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "x").touch()
    for name in ("dump.sql", "schema.sql", ".env", "plain"):
        (tmp_path / name).touch()
    (tmp_path / "fixture.key").write_text("-----BEGIN PRIVATE KEY-----")
    assert found(tmp_path) == (".env", "dump.sql", "fixture.key", "private")


def test_a_cleanroomignore_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".cleanroomignore")
    assert found(tmp_path) == ()
    (tmp_path / ".cleanroomignore").unlink()
    (tmp_path / ".cleanroomignore").symlink_to("/dev/zero")
    assert found(tmp_path) == ()


def test_what_changed_is_seen_and_what_did_not_is_known(tmp_path: Path) -> None:
    cache = ScanCache()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").touch()
    old(tmp_path, tmp_path / "a", tmp_path / "b")
    assert found(tmp_path, cache) == ("a/.env", "b/.env")
    (tmp_path / "a" / ".env").unlink()
    (tmp_path / "b" / ".env").unlink()
    old(tmp_path / "b")  # the clock says: as before
    assert found(tmp_path, cache) == ("b/.env",)


def test_a_folder_changed_a_moment_ago_is_looked_at_again(tmp_path: Path) -> None:
    cache = ScanCache()
    facts = tmp_path.stat()
    assert found(tmp_path, cache) == ()
    (tmp_path / ".env").touch()
    os.utime(tmp_path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert found(tmp_path, cache) == (".env",)


def test_new_patterns_forget_what_was_known(tmp_path: Path) -> None:
    cache = ScanCache()
    (tmp_path / "a.sql").touch()
    (tmp_path / ".cleanroomignore").touch()
    old(tmp_path)
    assert found(tmp_path, cache) == ()
    (tmp_path / ".cleanroomignore").write_text("*.sql\n")
    assert found(tmp_path, cache) == ("a.sql",)


def test_a_file_judged_by_content_is_judged_again_when_it_changes(tmp_path: Path) -> None:
    cache = ScanCache()
    place = tmp_path / ".npmrc"
    place.write_text("save-exact=true\n")
    old(tmp_path)
    assert found(tmp_path, cache) == ()
    assert found(tmp_path, cache) == ()
    place.write_text("//registry.example/:_authToken=abc\n")
    assert found(tmp_path, cache) == (".npmrc",)


def test_a_doubtful_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    place = tmp_path / "x.key"
    place.touch()
    old(tmp_path)
    cache = ScanCache()
    assert found(tmp_path, cache) == ()
    place.unlink()
    old(tmp_path)
    assert found(tmp_path, cache) == ("x.key",)


def test_a_closed_or_vanished_folder_is_passed_over(tmp_path: Path) -> None:
    cache = ScanCache()
    (tmp_path / "a").mkdir()
    old(tmp_path)
    assert found(tmp_path, cache) == ()
    (tmp_path / "a").rmdir()
    old(tmp_path)
    assert found(tmp_path, cache) == ()


def test_foreign_groups_are_named_where_they_matter(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    own = (tmp_path / "a").stat().st_gid
    assert scan(str(tmp_path), own, ScanCache()).foreign == ()
    assert scan(str(tmp_path), own + 1, ScanCache()).foreign == ("a",)


def test_more_folders_than_the_limit_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.backends.workspace.scan.MAX_FOLDERS", 1)
    (tmp_path / "a").mkdir()
    assert scan(str(tmp_path), None, ScanCache()) == Scan(complete=False)


def test_the_cache_of_many_workspaces_is_bounded(tmp_path: Path) -> None:
    cache = ScanCache()
    for number in range(80):
        place = tmp_path / str(number)
        place.mkdir()
        found(place, cache)
    assert len(cache.folders) <= 65


def test_sockets_and_fifos_are_named(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d/fifo")
    (tmp_path / "link").symlink_to("d/fifo")
    (tmp_path / "file").touch()
    cache = ScanCache()
    for _ in range(2):
        assert scan(str(tmp_path), None, cache).dead == ("d/fifo",)
