"""What files were before: kept only while it is certain, and bounded."""

import pytest

from cleanroom.backends.workspace import originals
from cleanroom.backends.workspace.applied import marks_of, remember
from cleanroom.backends.workspace.originals import Original, keep_originals, original_of
from cleanroom.backends.workspace.saved import Places, load
from tests.backends.workspace.overlays import Workspace, later


def keep(workspace: Workspace) -> None:
    keep_originals(workspace.folder, workspace.changes().changes)


def content(workspace: Workspace, path: str) -> bytes | None:
    """What is known to have been there."""
    started_ns = load(workspace.folder).started_ns
    found = original_of(workspace.folder, path, marks_of(Places(workspace.folder)), started_ns)
    return None if found is None else found.content


def kept(workspace: Workspace) -> int:
    folder = workspace.folder / "originals"
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_what_was_changed_is_kept_as_it_was(workspace: Workspace) -> None:
    workspace.write("d/edited", "before\n")
    workspace.write("mode", "same")
    workspace.write("gone", "g")
    workspace.run("echo after > d/edited; chmod +x mode; rm gone; echo new > new")
    keep(workspace)
    assert content(workspace, "d/edited") == b"before\n"
    assert content(workspace, "mode") == b"same"
    assert kept(workspace) == 2
    keep(workspace)
    later(workspace.write("d/edited", "the host's\n"))
    keep(workspace)
    assert content(workspace, "d/edited") == b"before\n"


def test_what_the_host_changed_first_is_not_kept(workspace: Workspace) -> None:
    place = workspace.write("a", "before")
    workspace.run("echo after > a")
    later(place)
    place.write_text("the host's")
    keep(workspace)
    assert (content(workspace, "a"), kept(workspace)) == (None, 0)


def test_nothing_changed_is_nothing_kept(workspace: Workspace) -> None:
    workspace.run("echo new > new")
    keep(workspace)
    assert not (workspace.folder / "originals").exists()


def test_what_was_given_to_the_sandbox_since_replaces_it(workspace: Workspace) -> None:
    place = workspace.write("a", "before")
    workspace.run("echo after > a")
    keep(workspace)
    later(place)
    place.write_text("brought inside")
    places = Places(workspace.folder)
    remember(places, {"a": place.stat().st_ctime_ns})
    assert content(workspace, "a") is None  # the older one is not what both sides began with
    keep(workspace)
    assert content(workspace, "a") == b"brought inside"
    remember(places, {"a": "file 0 digest"})
    assert content(workspace, "a") is None
    originals.put_original(workspace.folder, "a", Original(b"merged", 0o644, originals.MERGED))
    assert content(workspace, "a") == b"merged"
    remember(places, {}, gone=["a"])
    assert content(workspace, "a") is None


def test_what_is_long_no_text_a_link_or_too_much_is_not_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "MAX_BYTES", 100)
    workspace.write("long", "x" * 101)
    workspace.write("binary", "a\0b")
    (workspace.root / "link").symlink_to("long")
    for name in ("t1", "t2", "t3"):
        workspace.write(name, "x" * 50)
    workspace.run("for f in long binary t1 t2 t3; do echo y > $f; done; ln -sf t1 link")
    with monkeypatch.context() as patch:
        patch.setattr(originals, "MOST_BYTES", 60)
        keep(workspace)
        assert kept(workspace) == 2
    with monkeypatch.context() as patch:
        patch.setattr(originals, "MOST_FILES", 2)
        keep(workspace)
        assert kept(workspace) == 2
    keep(workspace)
    assert kept(workspace) == 3
    assert [content(workspace, name) for name in ("long", "binary", "link")] == [None] * 3
