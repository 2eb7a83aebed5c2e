"""What a run changed, read from the upper layer of a real overlay."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace import changes as module
from cleanroom.backends.workspace.changes import Change, Skipped, change_set
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace


def test_nothing_done_is_nothing_changed(workspace: Workspace) -> None:
    workspace.write("a/b.txt", "b")
    assert "b.txt" in workspace.run("ls -R; cat a/b.txt")
    assert workspace.changes() == module.Changes()


def test_what_is_no_change_is_looked_at_to_a_limit_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder can hold millions of names: a list of all would end the daemon."""
    monkeypatch.setattr(module, "MAX_ENTRIES", 4)
    for number in range(6):
        workspace.write(f"same/{number}", "x")
    workspace.run("for each in same/*; do chmod 600 $each; done; touch a z")
    found = workspace.changes()
    assert [each.path for each in found.changes] == ["a", "z"]
    assert found.skipped == (Skipped("same", "too many changes"),)
    assert found.cut


def test_what_was_not_looked_at_is_not_deleted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder made anew, so full that only a part of its names would be read."""
    monkeypatch.setattr(module, "MAX_ENTRIES", 4)
    for number in range(6):
        workspace.write(f"d/{number}", "x")
    workspace.run("rm -r d; mkdir d; for i in 0 1 2 3 4 5; do echo y > d/$i; done")
    assert workspace.changes().changes == ()


def test_what_is_left_out_is_told_to_a_limit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SKIPPED", 2)
    workspace.run("for each in 1 2 3 4 5; do mkfifo pipe$each; done; touch z")
    found = workspace.changes()
    why = "not a file, a link or a folder"
    assert [each.path for each in found.changes] == ["z"]
    assert found.skipped == (
        Skipped("pipe1", why),
        Skipped("pipe2", why),
        Skipped("pipe3", f"{why}; there are more, of any kind"),
    )


def test_each_kind_of_change(workspace: Workspace) -> None:
    for name in ("same", "modified", "deleted", "mode", "replaced"):
        workspace.write(name, name)
    workspace.run(
        "echo more >> modified; rm deleted; chmod +x mode; echo new > added;"
        " mkdir -p deep/er; echo x > deep/er/file; mkdir empty; ln -s added link;"
        " rm replaced; ln -s same replaced"
    )
    found = [(each.path, each.kind, each.type) for each in workspace.changes().changes]
    assert found == [
        ("added", "added", "file"),
        ("deep/er/file", "added", "file"),
        ("deleted", "deleted", "file"),
        ("empty", "added", "folder"),
        ("link", "added", "link"),
        ("mode", "mode", "file"),
        ("modified", "modified", "file"),
        ("replaced", "deleted", "file"),
        ("replaced", "added", "link"),
    ]


def test_sizes_and_modes_are_of_the_new_content(workspace: Workspace) -> None:
    workspace.run("printf 12345 > a; chmod 755 a")
    assert workspace.changes().changes == (Change("a", "added", "file", 5, 0o755),)


def test_what_was_touched_but_is_equal_is_no_change(workspace: Workspace) -> None:
    workspace.write("a", "text")
    workspace.write("d/b", "text")
    workspace.run(
        "touch a; cp a a2; mv a2 a; chmod 600 a; chmod 644 a; touch d/b; rm d/b; echo -n text > d/b"
    )
    assert workspace.kinds() == {}


def test_a_deleted_folder_is_all_its_files(workspace: Workspace) -> None:
    workspace.write("d/a")
    workspace.write("d/e/b")
    workspace.run("rm -r d")
    assert workspace.kinds() == dict.fromkeys(("d", "d/a", "d/e", "d/e/b"), "deleted")


def test_a_replaced_folder_is_what_is_new_and_what_is_gone(workspace: Workspace) -> None:
    workspace.write("d/a", "a")
    workspace.write("d/b", "b")
    workspace.run("rm -r d; mkdir d; echo -n a > d/a; echo c > d/c")
    assert workspace.kinds() == {"d/b": "deleted", "d/c": "added"}


def test_a_folder_that_became_a_file_and_the_other_way_round(workspace: Workspace) -> None:
    workspace.write("d/a")
    workspace.write("f", "f")
    workspace.run("rm -r d f; echo d > d; mkdir f; echo x > f/x")
    found = [(each.path, each.kind, each.type) for each in workspace.changes().changes]
    assert found == [
        ("d", "deleted", "folder"),
        ("d", "added", "file"),
        ("d/a", "deleted", "file"),
        ("f", "deleted", "file"),
        ("f/x", "added", "file"),
    ]


def test_a_renamed_folder_is_gone_here_and_new_there(workspace: Workspace) -> None:
    workspace.write("old/a", "a")
    workspace.run("mv old new")
    assert workspace.kinds() == {"new/a": "added", "old": "deleted", "old/a": "deleted"}


def test_nothing_of_git_is_a_change(workspace: Workspace) -> None:
    workspace.write(".git/config", "[core]\n")
    workspace.write("sub/x")
    workspace.run(
        "echo '[core] fsmonitor = evil' > .git/config; echo x > .git/hooks;"
        " mkdir sub/.git .GIT; echo x > sub/.git/config; echo x > .GIT/config; echo y > sub/x"
    )
    assert workspace.kinds() == {"sub/x": "modified"}


def test_what_is_no_file_is_named_and_stays(workspace: Workspace) -> None:
    workspace.run(
        "mkfifo fifo; python3 -c \"import socket; socket.socket(1).bind('sock')\";"
        " printf x > \"$(printf 'bad\\377')\"; echo x > fine"
    )
    assert workspace.kinds() == {"fine": "added"}
    assert set(workspace.changes().skipped) == {
        Skipped("fifo", "not a file, a link or a folder"),
        Skipped("sock", "not a file, a link or a folder"),
        Skipped("'bad\\udcff'", "its name is not UTF-8"),
    }


def test_set_uid_bits_are_not_seen(workspace: Workspace) -> None:
    workspace.run("echo x > tool; chmod 6755 tool")
    assert workspace.changes().changes == (Change("tool", "added", "file", 2, 0o755),)


def test_files_that_git_ignores_are_apart(workspace: Workspace) -> None:
    workspace.write(".gitignore", "node_modules/\n*.log\n!keep.log\n")
    workspace.write("sub/.gitignore", "/out\n")
    workspace.write("sub/a")
    workspace.run(
        "mkdir -p node_modules/p; echo x > node_modules/p/i.js; echo x > a.log; echo x > keep.log;"
        " echo x > sub/out; echo x > out; echo '*' > .gitignore"
    )
    assert workspace.kinds() == {".gitignore": "modified", "keep.log": "added", "out": "added"}
    assert [each.path for each in workspace.changes().ignored] == [
        "a.log",
        "node_modules/p/i.js",
        "sub/out",
    ]
    assert workspace.changes().ignored_line("not listed") == Skipped(
        "a.log", "ignored by git, and 2 more: not listed"
    )


def test_a_left_out_file_is_not_deleted_with_its_folder(workspace: Workspace) -> None:
    workspace.write("conf/.env", "TOKEN=1")
    workspace.write("conf/a", "a")
    assert workspace.run("ls -A conf") == "a\n"
    workspace.run("rm -r conf; echo mine > .env")
    assert workspace.kinds() == {".env": "added", "conf/a": "deleted"}


def test_a_link_in_the_way_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    (workspace.root / "d").symlink_to(tmp_path)
    workspace.run("rm d; mkdir d; echo x > d/outside")
    found = [(each.path, each.kind, each.type) for each in workspace.changes().changes]
    assert found == [("d", "deleted", "link"), ("d/outside", "added", "file")]


def test_trees_without_end_are_cut(workspace: Workspace) -> None:
    workspace.run("for i in $(seq 100); do mkdir d; cd d; echo x > f; done")
    found = workspace.changes()
    assert len(found.changes) == module.MAX_DEPTH
    assert [each.reason for each in found.skipped] == ["deeper than 64 folders"]


def test_too_many_changes_are_cut(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES", 3)
    workspace.run("touch a b c d e")
    found = workspace.changes()
    assert len(found.changes) == 3
    assert [each.reason for each in found.skipped] == ["too many changes"]


def test_a_forged_mark_of_a_replaced_folder_means_nothing(workspace: Workspace) -> None:
    workspace.write("d/a", "a")
    workspace.run("touch d/b")
    name = "user.overlay.opaque" if os.geteuid() == 0 else "user.other.opaque"
    os.setxattr(workspace.folder / "workspace" / "upper" / "d", name, b"y")
    assert workspace.kinds() == {"d/b": "added"}


def test_a_folder_without_a_view_is_a_fault(workspace: Workspace) -> None:
    with pytest.raises(Fault, match="cannot find what this sandbox changed"):
        change_set(workspace.folder)


def test_a_repository_that_is_gone_is_a_fault(workspace: Workspace) -> None:
    workspace.run("touch a")
    workspace.root.rename(workspace.base / "elsewhere")
    with pytest.raises(Fault, match="cannot read what was changed"):
        change_set(workspace.folder)
