"""Bringing changes onto the host: all or nothing, and never out of the workspace."""

import json
import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace.apply import Applied, apply, carry
from cleanroom.backends.workspace.changes import Skipped
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace, later, tree


def test_every_kind_of_change_arrives(workspace: Workspace) -> None:
    for name in ("same", "modified", "deleted", "d/gone", "d/e/gone", "mode"):
        workspace.write(name, name)
    workspace.run(
        "echo -n new > modified; rm deleted; rm -r d; chmod 755 mode; mkdir -p x/y empty;"
        " echo -n z > x/y/z; chmod 600 x/y/z; ln -s ../../same x/y/link; echo -n i > x/i"
    )
    done = apply(workspace.folder)
    assert (done.conflicts, done.skipped) == ((), ())
    assert tree(workspace.root) == {
        "empty": "folder",
        "mode": "755 mode",
        "modified": "644 new",
        "same": "644 same",
        "x": "folder",
        "x/i": "644 i",
        "x/y": "folder",
        "x/y/link": "-> ../../same",
        "x/y/z": "600 z",
    }
    assert workspace.kinds() == {}


def test_what_is_checked_is_not_done(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.run("echo b > a; echo c > c")
    assert apply(workspace.folder, check=True) == Applied(("a", "c"))
    assert tree(workspace.root) == {"a": "644 a"}


def test_only_the_paths_named(workspace: Workspace) -> None:
    workspace.run("mkdir d; touch a d/b d/c dd")
    assert apply(workspace.folder, ("d/", "./a", "nothing")) == Applied(
        ("a", "d/b", "d/c"), (), (Skipped("nothing", "nothing was changed there"),)
    )


def test_a_dot_is_everything_ignored_files_included(workspace: Workspace) -> None:
    workspace.write(".gitignore", "*.log\n")
    workspace.run("touch a.log b")
    assert apply(workspace.folder, check=True) == Applied(
        ("b",), (), (Skipped("a.log", "ignored by git: name them to apply them"),)
    )
    assert apply(workspace.folder, (".",)).applied == ("a.log", "b")


@pytest.mark.parametrize(
    ("script", "host", "reason"),
    [
        ("echo x > a", "edit", "changed on the host since"),
        ("rm a", "edit", "changed on the host since"),
        ("chmod +x a", "edit", "changed on the host since"),
        ("echo x > a", "remove", "was removed on the host since"),
        ("echo x > a", "folder", "changed on the host since"),
        ("rm a", "folder", "changed on the host since"),
        ("echo x > new", "create", "changed on the host since"),
        ("ln -s a new", "create", "changed on the host since"),
        ("mkdir new; echo x > new/b", "create", "changed on the host since"),
        ("echo x > d/b", "fold", "was removed on the host since"),
        ("rm -r d", "grow", "changed on the host since"),
    ],
)
def test_what_changed_on_the_host_is_never_overwritten(
    workspace: Workspace, script: str, host: str, reason: str
) -> None:
    place = workspace.write("a", "a")
    workspace.write("d/b", "b")
    workspace.run(f"{script}; echo fine > fine")
    later(place)
    if host == "edit":
        place.write_text("edited")
    if host in ("remove", "folder"):
        place.unlink()
    if host == "folder":
        place.mkdir()
    if host == "create":
        workspace.write("new", "other")
    if host == "fold":
        (workspace.root / "d").rename(workspace.base / "d")
    if host == "grow":
        workspace.write("d/grown")
    before = tree(workspace.root)
    done = apply(workspace.folder)
    assert done.applied == ()
    assert [each.reason for each in done.conflicts] == [reason]
    assert tree(workspace.root) == before


def test_an_edit_that_leaves_the_time_of_a_file_as_it_was_is_seen(workspace: Workspace) -> None:
    place = workspace.write("a", "a")
    facts = place.stat()
    workspace.run("echo x > a")
    later(place)
    place.write_text("b")
    os.utime(place, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert [each.reason for each in apply(workspace.folder).conflicts] == [
        "changed on the host since"
    ]


def test_what_the_host_did_too_is_no_conflict(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.write("gone", "g")
    workspace.run("echo -n same > a; echo -n same > b; ln -s a l; rm gone; mkdir d")
    later(workspace.write("a", "same"))
    workspace.write("b", "same")
    (workspace.root / "l").symlink_to("a")
    (workspace.root / "gone").unlink()
    (workspace.root / "d").mkdir()
    assert apply(workspace.folder) == Applied()


def test_applied_once_more_after_more_work(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.run("echo -n one > a; echo -n one > b")
    assert apply(workspace.folder).applied == ("a", "b")
    workspace.run("echo -n two > a; echo -n two > b")
    assert apply(workspace.folder).applied == ("a", "b")
    assert tree(workspace.root) == {"a": "644 two", "b": "644 two"}
    later(workspace.root / "a")
    workspace.run("echo -n three > a")
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]


def test_a_file_that_became_a_folder_and_the_other_way_round(workspace: Workspace) -> None:
    workspace.write("f", "f")
    workspace.write("d/a", "a")
    workspace.run("rm -r f d; mkdir f; echo -n x > f/x; echo -n d > d")
    assert apply(workspace.folder).conflicts == ()
    assert tree(workspace.root) == {"d": "644 d", "f": "folder", "f/x": "644 x"}


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "..",
        "../x",
        "../../x",
        "d/../../x",
        "d/../x",
        "sub/../../../x",
        ".git/hooks",
        "../.git/config",
        "x/.GIT/y",
    ],
)
def test_a_link_that_leads_out_stays_inside_the_sandbox(workspace: Workspace, target: str) -> None:
    workspace.run(f"ln -s '{target}' l; touch fine")
    assert apply(workspace.folder) == Applied(
        ("fine",), (), (Skipped("l", "a link that leads out of the workspace"),)
    )
    assert tree(workspace.root) == {"fine": "644 "}


@pytest.mark.parametrize("target", ["a", "./a", "d/a", "d//a", "."])
def test_a_link_within_the_workspace_arrives(workspace: Workspace, target: str) -> None:
    workspace.run(f"ln -s '{target}' l")
    assert apply(workspace.folder).applied == ("l",)
    assert (workspace.root / "l").readlink() == Path(target)


def test_nothing_is_written_through_a_link_of_the_host(workspace: Workspace) -> None:
    outside = workspace.base / "outside"
    outside.mkdir()
    workspace.run("mkdir d; echo x > d/x")
    (workspace.root / "d").symlink_to(outside)
    done = apply(workspace.folder)
    assert [each.reason for each in done.conflicts] == ["changed on the host since"]
    done = apply(workspace.folder, ("d/x",))
    assert [each.reason for each in done.conflicts] == ["'d' is no folder on the host"]
    assert list(outside.iterdir()) == []


def test_no_set_uid_bit_arrives(workspace: Workspace) -> None:
    workspace.run("echo -n x > tool; chmod 6755 tool")
    apply(workspace.folder)
    assert tree(workspace.root) == {"tool": "755 x"}


def test_nothing_arrives_that_everybody_may_write(workspace: Workspace) -> None:
    workspace.write("shared", "a", 0o666)  # unless it was so before
    workspace.run(
        "echo -n x > tool; chmod 777 tool; echo -n y > group; chmod 664 group; echo b > shared"
    )
    apply(workspace.folder)
    assert tree(workspace.root) == {"group": "664 y", "shared": "666 b\n", "tool": "775 x"}


def test_a_hole_stays_a_hole(workspace: Workspace) -> None:
    """No disk limit counts it inside, so it may not fill the host's disk either."""
    workspace.run(
        "printf start > big; truncate -s 64M big; printf end >> big; truncate -s 128M big;"
        " truncate -s 128M empty; printf plain > plain"
    )
    assert apply(workspace.folder).applied == ("big", "empty", "plain")
    for name in ("big", "empty"):
        facts = (workspace.root / name).stat()
        assert (facts.st_size, facts.st_blocks * 512 < 1 << 20) == (128 << 20, True)
    with (workspace.root / "big").open("rb") as file:
        assert file.read(6) == b"start\0"
        file.seek(64 << 20)
        assert file.read(4) == b"end\0"
    assert (workspace.root / "plain").read_text() == "plain"
    assert workspace.kinds() == {}


def test_what_fails_half_way_leaves_nothing_behind(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write("a", "a")
    workspace.run("mkdir d; echo x > d/x; echo b > a; echo z > z")

    def full(_fd: int, _data: memoryview) -> int:
        raise OSError(28, "No space left on device", "z")

    with monkeypatch.context() as patch:
        patch.setattr("cleanroom.backends.workspace.write.os.write", full)
        with pytest.raises(Fault, match="No space left on device; nothing was applied"):
            apply(workspace.folder)
    assert tree(workspace.root) == {"a": "644 a"}


def test_what_was_applied_is_owned_by_the_repositorys_owner(workspace: Workspace) -> None:
    if os.geteuid() == 0:
        os.chown(workspace.root, 12345, 12346)
    workspace.run("mkdir d; echo x > d/x; ln -s x d/l")
    apply(workspace.folder)
    owner = workspace.root.stat()
    for name in ("d", "d/x", "d/l"):
        facts = (workspace.root / name).lstat()
        assert (facts.st_uid, facts.st_gid) == (owner.st_uid, owner.st_gid)


def test_a_damaged_memory_of_earlier_applies_is_no_permission(workspace: Workspace) -> None:
    place = workspace.write("a", "a")
    workspace.run("echo x > a")
    later(place)
    place.write_text("edited")
    (workspace.folder / "applied.json").write_text("{")
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]
    (workspace.folder / "applied.json").write_text(json.dumps({"a": "x"}))
    assert [each.path for each in apply(workspace.folder).conflicts] == ["a"]


def test_the_policy_ci_and_lock_files_come_out_only_when_named(workspace: Workspace) -> None:
    workspace.run("mkdir -p .github/w; touch a .github/w/ci.yml uv.lock cleanroom.yaml")
    assert apply(workspace.folder) == Applied(
        ("a",),
        (),
        (
            Skipped(".github/w/ci.yml", "a CI file: name it to apply it"),
            Skipped("cleanroom.yaml", "a policy: name it to apply it"),
            Skipped("uv.lock", "a lock file: name it to apply it"),
        ),
    )
    again = apply(workspace.folder, (".", "uv.lock", ".github"))
    assert again.applied == (".github/w/ci.yml", "uv.lock")
    assert [each.path for each in again.skipped] == ["cleanroom.yaml"]


def test_names_that_are_one_name_elsewhere_are_refused(workspace: Workspace) -> None:
    workspace.write("Readme", "r")
    workspace.write("Old", "o")
    workspace.run("echo x > README; mv Old old; touch fine")
    reason = "differs only in case or in the spelling of letters from 'Readme'"
    done = apply(workspace.folder)
    assert done.skipped == (Skipped("README", reason),)
    assert tree(workspace.root) == {"Readme": "644 r", "fine": "644 ", "old": "644 o"}


def test_a_renamed_file_arrives_under_its_new_name(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.write("d/b", "b", 0o755)
    workspace.run("mv a moved; mv d/b c; echo -n more >> c; rmdir d")
    assert workspace.kinds() == {
        "a": "deleted", "c": "added", "d": "deleted", "d/b": "deleted", "moved": "added",
    }  # fmt: skip
    assert apply(workspace.folder).conflicts == ()
    assert tree(workspace.root) == {"c": "755 bmore", "moved": "644 a"}


def test_a_renamed_file_that_the_host_replaced_is_a_conflict(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.run("mv a moved")
    (workspace.base / "other").write_text("edited")
    (workspace.base / "other").rename(workspace.root / "a")
    done = apply(workspace.folder)
    assert "a" in [each.path for each in done.conflicts]
    assert done.applied == ()


def test_what_is_no_conflict_can_be_carried_without_the_rest(workspace: Workspace) -> None:
    for path in ("a", "b", "uv.lock"):
        workspace.write(path, "before")
    workspace.run("echo inside | tee a b uv.lock > new")
    later(workspace.write("b", "host"))
    stays = {each.path: each.reason for each in carry(workspace.folder)}
    assert stays == {
        "b": "changed on the host since",
        "uv.lock": "a lock file: name it to apply it",
    }
    texts = {path: (workspace.root / path).read_text() for path in ("a", "b", "uv.lock", "new")}
    inside = "inside\n"
    assert texts == {"a": inside, "b": "host", "uv.lock": "before", "new": inside}
    assert {each.path for each in carry(workspace.folder)} == {"b", "uv.lock"}


def test_what_the_host_removed_after_it_was_brought_out_stays_removed(workspace: Workspace) -> None:
    workspace.run("mkdir d; echo x > a; echo x > d/b")
    assert apply(workspace.folder).applied == ("a", "d/b")
    (workspace.root / "a").unlink()
    (workspace.root / "d/b").unlink()
    (workspace.root / "d").rmdir()
    removed = "was removed on the host since"
    assert Skipped("a", removed) in carry(workspace.folder)
    assert Skipped("d/b", removed) in carry(workspace.folder)
    assert not (workspace.root / "a").exists()


def test_what_the_sandbox_removed_itself_may_come_again(workspace: Workspace) -> None:
    workspace.run("echo x > a")
    assert apply(workspace.folder).applied == ("a",)
    workspace.run("rm a")
    assert apply(workspace.folder).applied == ("a",)
    assert not (workspace.root / "a").exists()
    workspace.run("echo x > a")
    assert apply(workspace.folder) == Applied(("a",))
    assert (workspace.root / "a").read_text() == "x\n"
