"""That a sandbox wrote something is seen without reading what."""

import pytest

from cleanroom.backends.workspace import touched as module
from cleanroom.backends.workspace.touched import touched
from tests.backends.workspace.overlays import Workspace, later


def test_every_kind_of_write_is_seen(workspace: Workspace) -> None:
    workspace.prepare()
    upper = workspace.folder / "workspace/upper"
    seen = [touched(workspace.folder)]
    assert touched(workspace.folder) == seen[0]
    (upper / "folder").mkdir()
    seen.append(touched(workspace.folder))
    place = upper / "folder/file"
    for text in ("one", "two"):
        place.write_text(text)
        later(place)
        seen.append(touched(workspace.folder))
    place.rename(upper / "folder/other")
    seen.append(touched(workspace.folder))
    (upper / "folder/other").unlink()
    seen.append(touched(workspace.folder))
    assert len(set(seen)) == len(seen)


def test_no_link_is_followed_and_there_is_an_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.prepare()
    upper = workspace.folder / "workspace/upper"
    (upper / "out").symlink_to(workspace.root)
    before = touched(workspace.folder)
    workspace.write("new")
    assert touched(workspace.folder) == before
    monkeypatch.setattr(module, "MOST", 0)
    nothing = touched(workspace.folder)
    (upper / "more").touch()
    assert touched(workspace.folder) == nothing != before
