"""Which changes an apply is about; test_apply.py has the cases that end on the host."""

from cleanroom.backends.workspace.wanted import choose
from tests.backends.workspace.overlays import Workspace


def test_all_but_what_must_be_named_and_what_git_ignores(workspace: Workspace) -> None:
    workspace.write(".gitignore", "*.log\n")
    workspace.run("touch a a.log uv.lock; mkdir d; touch d/b")
    wanted, left = choose(workspace.folder, ())
    assert [each.path for each in wanted] == ["a", "d/b"]
    assert [each.path for each in left] == ["uv.lock", "a.log"]
    wanted, left = choose(workspace.folder, (".", "uv.lock", "./no"))
    assert [each.path for each in wanted] == ["a", "a.log", "d/b", "uv.lock"]
    assert [(each.path, each.reason) for each in left] == [("no", "nothing was changed there")]
