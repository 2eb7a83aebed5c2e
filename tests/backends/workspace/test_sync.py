"""Which edits of the host a view lacks, and what the sandbox has changed itself."""

import os

from cleanroom.backends.workspace.apply import apply, forget
from cleanroom.backends.workspace.listing import list_host
from cleanroom.backends.workspace.sync import (
    Brought,
    Memory,
    Plan,
    digest_at,
    drop_copies,
    gone_inside,
    make_plan,
)
from tests.backends.workspace.overlays import Workspace, later


def plan(workspace: Workspace, memory: Memory | None = None) -> tuple[Plan, Memory]:
    memory = memory or Memory.read(workspace.folder)
    now = list_host(str(workspace.root), frozenset())
    found = make_plan(workspace.folder, now, memory)
    memory.seen = tuple(now)
    memory.write()
    return found, memory


def edit(workspace: Workspace, path: str, text: str) -> None:
    later(workspace.write(path, text))


def bring(workspace: Workspace, path: str) -> None:
    """As the sandbox's tar would have written it, and as the follower notes it."""
    (workspace.folder / "workspace/upper" / path).write_bytes((workspace.root / path).read_bytes())
    memory = Memory.read(workspace.folder)
    root = os.open(workspace.root, os.O_RDONLY)
    ctime_ns = (workspace.root / path).stat().st_ctime_ns
    memory.brought[path] = Brought(ctime_ns, digest_at(root, path))
    os.close(root)
    memory.write()


def test_what_is_as_old_as_the_view_is_no_edit(workspace: Workspace) -> None:
    workspace.write("a")
    workspace.write("b/c")
    workspace.prepare()
    assert plan(workspace)[0] == Plan()


def test_edits_new_files_links_and_empty_folders_are_written(workspace: Workspace) -> None:
    workspace.write("a")
    workspace.prepare()
    edit(workspace, "a", "edited")
    edit(workspace, "new/file", "new")
    (workspace.root / "empty").mkdir()
    later(workspace.root / "empty")
    (workspace.root / "link").symlink_to("a")
    found, _ = plan(workspace)
    assert set(found.writes) >= {"a", "new/file", "empty"}
    assert (found.conflicts, found.removals) == ((), ())


def test_what_was_changed_inside_is_a_conflict(workspace: Workspace) -> None:
    for path in ("a", "b", "same", "d/e"):
        workspace.write(path, "before")
    workspace.run("echo inside > a; rm b; printf host > same; rm -r d; echo file > d")
    for path in ("a", "b", "same", "d/e"):
        edit(workspace, path, "host")
    found, memory = plan(workspace)
    assert found.writes == ()
    conflicts = (("a", "changed inside too"), ("b", "deleted inside"), ("d/e", "deleted inside"))
    assert found.conflicts == conflicts
    assert list(memory.brought) == ["same"]


def test_what_was_brought_is_brought_again_until_the_sandbox_changes_it(
    workspace: Workspace,
) -> None:
    workspace.write("a", "before")
    workspace.prepare()
    edit(workspace, "a", "one")
    bring(workspace, "a")
    assert plan(workspace)[0] == Plan()
    edit(workspace, "a", "two")
    assert plan(workspace)[0].writes == ("a",)
    (workspace.folder / "workspace/upper/a").write_text("inside")
    assert plan(workspace)[0].conflicts == (("a", "changed inside too"),)


def test_a_removal_is_known_from_the_second_look_on(workspace: Workspace) -> None:
    for path in ("a", "b", "c", "d"):
        workspace.write(path, "before")
    workspace.prepare()
    for path in ("b", "c"):
        edit(workspace, path, "one")
        bring(workspace, path)
    plan(workspace)
    (workspace.folder / "workspace/upper/c").write_text("inside")
    (workspace.folder / "workspace/upper/d").write_text("inside")
    for path in ("a", "b", "c", "d"):
        (workspace.root / path).unlink()
    found, _ = plan(workspace)
    assert found.removals == ("b", "a")
    assert found.conflicts == (("c", "changed inside too"),)


def test_what_came_out_and_was_removed_before_anybody_looked_is_a_removal(
    workspace: Workspace,
) -> None:
    workspace.run("echo inside > made; echo inside > other")
    apply(workspace.folder)
    for name in ("made", "other"):
        (workspace.root / name).unlink()
    (workspace.folder / "workspace/upper/other").write_text("changed since")
    found, _ = plan(workspace)
    assert (found.removals, found.conflicts) == (("made",), (("other", "changed inside too"),))
    workspace.run("rm made")
    assert gone_inside(workspace.folder, ["made", "other", "never"]) == ["made", "never"]
    forget(workspace.folder, ["made"])
    workspace.run("echo again > made")
    done = apply(workspace.folder)
    assert [each.path for each in done.conflicts] == ["other"]
    assert apply(workspace.folder, ("made",)).applied == ("made",)


def test_what_is_only_left_out_from_now_on_is_no_removal(workspace: Workspace) -> None:
    workspace.write("a")
    workspace.prepare()
    _, memory = plan(workspace)
    now = list_host(str(workspace.root), frozenset({"a"}))
    assert make_plan(workspace.folder, now, memory) == Plan()


def test_a_mode_is_an_edit_and_a_program_another_file(workspace: Workspace) -> None:
    place = workspace.write("a", "x", 0o644)
    workspace.prepare()
    top = os.open(workspace.root, os.O_RDONLY)
    plain = digest_at(top, "a")
    place.chmod(0o755)
    later(place)
    assert digest_at(top, "a") != plain
    assert (digest_at(top, "gone"), digest_at(top, "gone/too")) == ("", "")
    os.mkfifo(workspace.root / "fifo")
    assert digest_at(top, "fifo") == "unreadable"
    os.close(top)
    assert plan(workspace)[0].writes == ("a",)


def test_copies_go_before_the_view_is_mounted_anew_and_changes_stay(workspace: Workspace) -> None:
    for path in ("a", "b"):
        workspace.write(path, "before")
    workspace.prepare()
    drop_copies(workspace.folder)  # nothing was brought yet
    for path in ("a", "b"):
        edit(workspace, path, "host")
        bring(workspace, path)
    (workspace.folder / "workspace/upper/b").write_text("inside")
    drop_copies(workspace.folder)
    assert [path.name for path in (workspace.folder / "workspace/upper").iterdir()] == ["b"]
    assert Memory.read(workspace.folder).brought == {}


def test_what_was_applied_may_be_edited_on_the_host_afterwards(workspace: Workspace) -> None:
    workspace.write("a", "before")
    workspace.run("echo inside > a")
    assert apply(workspace.folder).applied == ("a",)
    edit(workspace, "a", "host")
    assert plan(workspace)[0].writes == ("a",)
