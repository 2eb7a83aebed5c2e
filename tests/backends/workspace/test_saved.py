"""What a view remembers when its sandbox and its daemon have gone."""

from pathlib import Path

import pytest

from cleanroom.backends.workspace.saved import Places, Saved, load, save
from cleanroom.errors import Code, Fault

SAVED = Saved("/r", 17, (".env",), rootless=True)


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    save(tmp_path, SAVED)
    assert load(tmp_path) == SAVED
    assert [place.name for place in tmp_path.iterdir()] == ["workspace.json"]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"host_path": "/r"}'])
def test_what_is_gone_or_damaged_is_a_fault(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "workspace.json").write_text(text)
    with pytest.raises(Fault) as error:
        load(tmp_path)
    assert error.value.code is Code.INTERNAL


def test_both_layers_of_an_overlay_share_a_folder() -> None:
    places = Places(Path("/s"))
    assert places.upper.parent == places.work.parent == Path("/s/workspace")
    assert places.git_upper.parent == places.git_work.parent == Path("/s/git")
