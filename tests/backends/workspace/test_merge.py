"""`apply --3way`: what both sides changed holds both, or says where a person must decide."""

import asyncio

import pytest

from cleanroom.backends.workspace import gitrun, merge
from cleanroom.backends.workspace.apply import Applied, MergedFile, apply, finish_interrupted
from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.merge import merge_conflicts
from cleanroom.backends.workspace.originals import keep_originals
from cleanroom.backends.workspace.sync import drop_copies
from cleanroom.errors import Refused
from tests.backends.workspace.overlays import Workspace, later, tree
from tests.backends.workspace.test_apply_killed import Killed, killed_at

LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"
INSIDE = "sed -i s/one/ONE/ a"


def apply_3way(workspace: Workspace, *paths: str, check: bool = False) -> Applied:
    merged = asyncio.run(merge_conflicts(workspace.folder, paths))
    return apply(workspace.folder, paths, check=check, merged=merged)


def both_changed(workspace: Workspace, inside: str = INSIDE, host: str = "five") -> None:
    """The sandbox changed `a`, its command ended, and then the host changed it too."""
    place = workspace.write("a", LINES)
    workspace.run(inside)
    keep_originals(workspace.folder, workspace.changes().changes)
    later(place)
    place.write_text(LINES.replace(host, host.upper()))


def read(workspace: Workspace) -> str:
    return (workspace.root / "a").read_text()


def test_different_lines_are_merged_cleanly(workspace: Workspace) -> None:
    both_changed(workspace, f"{INSIDE}; echo -n new > new")
    both = LINES.replace("one", "ONE").replace("five", "FIVE")
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]
    wanted = Applied(("new", "a"), merged=(MergedFile("a", 0, known=True),))
    assert apply_3way(workspace, check=True) == wanted
    assert read(workspace) == LINES.replace("five", "FIVE")
    assert apply_3way(workspace) == wanted
    assert tree(workspace.root) == {"a": f"644 {both}", "new": "644 new"}
    assert apply_3way(workspace) == Applied()  # nothing of it is left to do
    assert apply(workspace.folder) == Applied()


def test_the_same_line_is_marked(workspace: Workspace) -> None:
    both_changed(workspace, host="one")
    (workspace.root / "a").write_text(LINES.replace("one", "eins"))
    assert apply_3way(workspace).merged == (MergedFile("a", 1, known=True),)
    marked = "<<<<<<< host\neins\n=======\nONE\n>>>>>>> sandbox\n"
    assert read(workspace) == LINES.replace("one\n", marked)
    assert apply_3way(workspace) == Applied()
    workspace.write("a", LINES.replace("one", "decided"))
    assert apply_3way(workspace) == Applied()
    assert read(workspace) == LINES.replace("one", "decided")


def test_without_what_both_began_with_every_difference_is_marked(workspace: Workspace) -> None:
    place = workspace.write("a", LINES)
    workspace.run(INSIDE)
    later(place)
    place.write_text(LINES.replace("nine", "NINE"))
    keep_originals(workspace.folder, workspace.changes().changes)  # too late
    done = apply_3way(workspace)
    assert done.merged == (MergedFile("a", 2, known=False),)
    assert read(workspace).count("<<<<<<< host\n") == 2


def test_a_file_that_both_made_is_merged(workspace: Workspace) -> None:
    workspace.run("printf 'same\\ninside\\n' > a; mkdir d; echo x > d/x")
    workspace.write("a", "same\nhost\n")
    assert apply_3way(workspace, "a").merged == (MergedFile("a", 1, known=False),)
    assert read(workspace).startswith("same\n<<<<<<< host\nhost\n=======\ninside\n")


def test_more_work_after_a_merge_is_merged_upon_it(workspace: Workspace) -> None:
    both_changed(workspace)
    apply_3way(workspace)
    workspace.run("sed -i s/three/THREE/ a")
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]
    assert apply_3way(workspace).merged == (MergedFile("a", 0, known=True),)
    upper = (("one", "ONE"), ("three", "THREE"), ("five", "FIVE"))
    expected = LINES
    for before, after in upper:
        expected = expected.replace(before, after)
    assert read(workspace) == expected


def test_the_next_view_shows_what_was_merged(workspace: Workspace) -> None:
    both_changed(workspace)
    apply_3way(workspace)
    drop_copies(workspace.folder)  # as before a command of a sandbox that is kept
    assert workspace.run("cat a") == read(workspace)
    assert workspace.kinds() == {}


@pytest.mark.parametrize(
    ("inside", "host"),
    [
        ("printf 'a\\0b' > a", "edit"),
        ("echo x > a", "binary"),
        ("rm a", "edit"),
        ("rm a; ln -s b a", "edit"),
        ("rm a; mkdir a; echo x > a/x", "edit"),
        ("echo x > a", "remove"),
        ("echo x > a", "link"),
        ("echo x > a", "folder"),
        ("truncate -s 2M a", "edit"),
    ],
)
def test_what_is_no_text_on_both_sides_stays_a_conflict(
    workspace: Workspace, inside: str, host: str
) -> None:
    both_changed(workspace, f"{inside}; echo fine > fine")
    place = workspace.root / "a"
    if host == "binary":
        place.write_bytes(b"a\0c")
    elif host != "edit":
        place.unlink()
    if host == "link":
        place.symlink_to("fine")
    if host == "folder":
        place.mkdir()
    before = tree(workspace.root) if host != "binary" else {}
    done = apply_3way(workspace)
    assert done.applied == ()
    assert all(each.reason.endswith("cannot be merged line by line") for each in done.conflicts)
    assert done.conflicts[0].path == "a"
    if before:
        assert tree(workspace.root) == before


@pytest.mark.parametrize(
    ("inside", "host", "mode"),
    [
        ("chmod 755 a", 0o644, 0o755),
        ("chmod 644 a", 0o644, 0o644),
        ("true", 0o755, 0o755),
        ("chmod 6755 a", 0o600, 0o711),
        ("chmod 777 a", 0o666, 0o777),
    ],
)
def test_the_mode_is_the_hosts_but_for_what_the_sandbox_made_a_program(
    workspace: Workspace, inside: str, host: int, mode: int
) -> None:
    both_changed(workspace, f"{INSIDE}; {inside}")
    (workspace.root / "a").chmod(host)
    assert apply_3way(workspace).merged == (MergedFile("a", 0, known=True),)
    assert (workspace.root / "a").stat().st_mode & 0o7777 == mode


def test_a_side_that_changes_meanwhile_keeps_its_own(workspace: Workspace) -> None:
    both_changed(workspace)
    merged = asyncio.run(merge_conflicts(workspace.folder, ()))
    place = workspace.root / "a"
    later(place)
    done = apply(workspace.folder, merged=merged)
    assert done.conflicts == (Skipped("a", "changed on the host meanwhile"),)
    merged = asyncio.run(merge_conflicts(workspace.folder, ()))
    (workspace.folder / "workspace/upper/a").write_text("inside\n")
    done = apply(workspace.folder, merged=merged)
    assert done.conflicts == (Skipped("a", "changed inside meanwhile"),)
    merged = asyncio.run(merge_conflicts(workspace.folder, ()))
    place.unlink()
    done = apply(workspace.folder, merged=merged)
    reason = "was removed on the host since, and cannot be merged line by line"
    assert done.conflicts == (Skipped("a", reason),)
    assert not place.exists()


@pytest.mark.parametrize("after", [2, 3])
def test_a_merge_that_is_killed_is_completed_and_known(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    both_changed(workspace, f"{INSIDE}; echo b > b")
    merged = asyncio.run(merge_conflicts(workspace.folder, ()))
    with monkeypatch.context() as patch:
        killed_at(patch, "rename", after)
        with pytest.raises(Killed):
            apply(workspace.folder, merged=merged)
    assert finish_interrupted(workspace.folder) == ()
    both = LINES.replace("one", "ONE").replace("five", "FIVE")
    assert tree(workspace.root) == {"a": f"644 {both}", "b": "644 b\n"}
    assert apply(workspace.folder) == Applied()  # not overwritten by the sandbox's own
    workspace.run("sed -i s/three/THREE/ a")
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]


def test_nothing_of_it_is_left_behind_and_there_is_a_bound(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        workspace.write(name, LINES)
    workspace.run("for f in a b; do sed -i s/one/ONE/ $f; done")
    for name in ("a", "b"):
        later(workspace.write(name, LINES.replace("five", "FIVE")))
    monkeypatch.setattr(merge, "MOST_BYTES", 1)
    assert list(asyncio.run(merge_conflicts(workspace.folder, ()))) == ["a"]
    assert list(workspace.folder.glob("merge-*")) == []


def test_without_git_nothing_is_merged(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_changed(workspace)
    monkeypatch.setattr(gitrun, "find_program", lambda _: None)
    with pytest.raises(Refused, match="git is not installed"):
        asyncio.run(merge_conflicts(workspace.folder, ()))
    assert list(workspace.folder.glob("merge-*")) == []


def test_a_file_that_the_host_removed_does_not_come_back_by_an_editor_inside(
    workspace: Workspace,
) -> None:
    """`sed -i` replaces the file, so overlayfs notes nothing of where it came from."""
    both_changed(workspace)
    (workspace.root / "a").unlink()
    done = apply(workspace.folder)
    assert done.conflicts == (Skipped("a", "was removed on the host since"),)


def test_what_the_sandbox_deleted_may_come_again(workspace: Workspace) -> None:
    workspace.write("a", LINES)
    workspace.write("b", LINES)
    workspace.run(f"{INSIDE}; {INSIDE} b")
    keep_originals(workspace.folder, workspace.changes().changes)
    workspace.run("rm a b; ln -s c b")
    assert apply(workspace.folder).conflicts == ()
    workspace.run("echo again > a; rm b; echo again > b")
    assert apply(workspace.folder).conflicts == ()
    assert tree(workspace.root) == {"a": "644 again\n", "b": "644 again\n"}
