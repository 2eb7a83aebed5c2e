"""The journal of an apply: written whole, read back, and never guessed at."""

from pathlib import Path

import pytest

from cleanroom.backends.workspace.journal import (
    Deletion,
    Draft,
    Journal,
    drop_journal,
    load_journal,
    save_journal,
)
from cleanroom.errors import Fault

JOURNAL = Journal(
    placing=True,
    deletions=(Deletion("a", is_folder=False, before_ns=5),),
    folders=("d",),
    drafts=(Draft(".cleanroom-1", "b", 7, 8, 9),),
)


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    assert load_journal(tmp_path) is None
    save_journal(tmp_path, JOURNAL)
    assert load_journal(tmp_path) == JOURNAL
    drop_journal(tmp_path)
    drop_journal(tmp_path)
    assert load_journal(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"placing": true}'])
def test_a_damaged_one_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "apply.json").write_text(text)
    with pytest.raises(Fault, match="is damaged"):
        load_journal(tmp_path)
