"""The view of a repository: what is in it, what is left out, what the person is told."""

import os
import subprocess

import pytest

from cleanroom.backends.workspace import prepare as module
from cleanroom.backends.workspace.folders import FOLDER, opened
from cleanroom.backends.workspace.scan import scan
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace

GIT_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(workspace: Workspace, *words: str) -> None:
    subprocess.run(
        ["/usr/bin/git", "-C", str(workspace.root), *words],
        check=True,
        env=GIT_ENVIRONMENT,
        capture_output=True,
    )


def test_a_plain_repository_is_one_overlay_and_an_empty_mask(workspace: Workspace) -> None:
    workspace.write("a")
    view = workspace.prepare()
    (overlay,) = view.overlays
    assert overlay.targets == ("/workspace", str(workspace.root))
    assert overlay.lowers == (str(workspace.folder / "mask"), str(workspace.root))
    assert list((workspace.folder / "mask").iterdir()) == []
    assert (overlay.owner_uid, overlay.owner_gid) == (os.geteuid(), os.getegid())
    assert (view.left_out, view.notes) == ((), ())


def test_keys_and_credentials_are_not_inside_and_said(workspace: Workspace) -> None:
    workspace.write(".env", "SECRET=1")
    workspace.write("a/.npmrc", "//registry.example/:_authToken=abc\n")
    workspace.write("b/.npmrc", "save-exact=true\n")
    workspace.write("c/server.key", "-----BEGIN PRIVATE KEY-----\n")
    workspace.write("c/readme")
    workspace.write(".ssh/id_ed25519", "key")
    view = workspace.prepare()
    assert view.left_out == (".env", ".ssh", "a/.npmrc", "c/server.key")
    assert view.notes == (
        "left out of the sandbox: .env, .ssh, a/.npmrc and 1 more (see .cleanroomignore)",
    )
    assert workspace.run("find . -type f | sort") == "./b/.npmrc\n./c/readme\n"
    assert (workspace.root / ".env").read_text() == "SECRET=1"


def test_the_modes_of_masked_folders_are_those_of_the_repository(workspace: Workspace) -> None:
    workspace.write("closed/.env")
    workspace.write("closed/a")
    (workspace.root / "closed").chmod(0o711)
    assert workspace.run("stat -c %a closed") == "711\n"


def test_git_works_inside_and_its_configuration_holds_no_secret(workspace: Workspace) -> None:
    git(workspace, "init", "-q")
    workspace.write("a", "a")
    git(workspace, "add", "a")
    git(workspace, "commit", "-qm", "a")
    git(workspace, "remote", "add", "origin", "https://user:token@git.example/r.git")
    git(workspace, "config", "http.https://git.example/.extraheader", "AUTHORIZATION: basic abc")
    before = (workspace.root / ".git/config").read_text()
    inside = workspace.run(
        "export HOME=/nonexistent; cat .git/config; echo b > b; git add b;"
        " git -c user.name=a -c user.email=a@example.com commit -qm b; git status --short;"
        " git log --format=%s; git config core.abbrev 12"
    )
    assert "token" not in inside
    assert "abc" not in inside
    assert "https://git.example/r.git" in inside
    assert inside.endswith("b\na\n")
    assert (workspace.root / ".git/config").read_text() == before
    assert workspace.kinds() == {"b": "added"}


def test_a_repository_within_holds_no_secret_either(workspace: Workspace) -> None:
    git(workspace, "init", "-q")
    git(workspace, "init", "-q", "a/b")
    git(workspace, "-C", "a/b", "remote", "add", "origin", "https://user:token@git.example/r.git")
    inside = workspace.run("cat a/b/.git/config; git -C a/b remote get-url origin")
    assert "token" not in inside
    assert inside.endswith("\nhttps://git.example/r.git\n")
    assert "token" not in workspace.run("cat a/b/.git/config")  # known by now
    assert workspace.kinds() == {}


def test_prepared_again_it_keeps_the_changes_and_shows_the_hosts(workspace: Workspace) -> None:
    workspace.write("a", "a")
    workspace.run("echo inside > new")
    started = workspace.prepare().started_ns
    workspace.write("a", "edited")
    workspace.write(".env", "late")
    assert workspace.run("cat a new; ls -A") == "editedinside\na\nnew\n"
    assert workspace.prepare().started_ns == started
    assert workspace.kinds() == {"new": "added"}


def test_a_mask_that_may_be_mounted_still_is_put_aside(workspace: Workspace) -> None:
    workspace.write(".env")
    workspace.prepare()
    mask = workspace.folder / "mask"
    with opened(os.open(mask, FOLDER)) as mounted:
        workspace.write("sub/.env")
        workspace.prepare()
        assert sorted(place.name for place in mask.iterdir()) == [".env", "sub"]
        assert os.listdir(mounted) == [".env"]  # noqa: PTH208 -- by descriptor
    workspace.prepare()
    assert sorted(place.name for place in workspace.folder.iterdir()) == [
        "mask",
        "mask-aside",
        "workspace",
        "workspace.json",
    ]


def test_a_git_link_that_leads_elsewhere_is_refused_and_said(workspace: Workspace) -> None:
    workspace.write(".git", "gitdir: /somewhere/.git/worktrees/x\n")
    view = workspace.prepare()
    assert len(view.overlays) == 1
    assert "git will not work inside" in view.notes[0]


def test_a_worktree_brings_its_main_git_folder(workspace: Workspace) -> None:
    (workspace.base / "main").mkdir()
    main = Workspace(workspace.base / "main")
    git(main, "init", "-q")
    main.write("a", "a")
    git(main, "add", "a")
    git(main, "commit", "-qm", "a")
    git(main, "remote", "add", "origin", "https://user:token@git.example/r.git")
    workspace.root.rmdir()
    git(main, "worktree", "add", "-q", str(workspace.root))
    own, shared = workspace.prepare().overlays
    assert own.targets == ("/workspace", str(workspace.root))
    assert shared.targets == (f"{main.root}/.git",)
    assert shared.lowers == (str(workspace.folder / "git-mask"), f"{main.root}/.git")
    assert "token" not in (workspace.folder / "git-mask" / "config").read_text()


def test_a_scan_without_end_is_cut_and_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.backends.workspace.scan.MAX_FOLDERS", 2)
    for name in "abc":
        workspace.write(f"{name}/x")
    assert "looked for keys and credentials in the first" in workspace.prepare().notes[0]


def test_a_workspace_that_is_not_there_is_a_fault(workspace: Workspace) -> None:
    with pytest.raises(Fault, match="cannot make a view of the workspace"):
        module.prepare("/nonexistent", workspace.folder, workspace.cache)


def test_what_is_known_is_not_looked_through_again(workspace: Workspace) -> None:
    for folder in range(500):
        place = workspace.root / f"d{folder}"
        place.mkdir()
        (place / ".env").touch()
        os.utime(place, (1, 1))  # not changed a moment ago, so that the scan is believed
    workspace.prepare()
    (workspace.root / "d7" / "late.env").touch()
    (workspace.root / "d8" / ".env").unlink()
    seen = scan(str(workspace.root), _group(), workspace.cache)
    assert len(seen.left_out) == 499


def _group() -> int | None:
    return None if os.geteuid() == 0 else os.getegid()


def test_a_read_only_view_has_no_upper_layer_and_no_changes(workspace: Workspace) -> None:
    workspace.write("a")
    workspace.write(".env")
    view = module.prepare(str(workspace.root), workspace.folder, workspace.cache, writable=False)
    (overlay,) = view.overlays
    assert (overlay.upper, overlay.work, overlay.follows) == (None, None, True)
    assert view.left_out == (".env",)
    assert workspace.changes().changes == ()


def test_a_mount_hides_what_a_workspace_would_hide(workspace: Workspace) -> None:
    workspace.write(".git/config", "[credential]\n\thelper = store\n[core]\n\tbare = false\n")
    workspace.write("sub/.env")
    view = module.prepare_mount(
        str(workspace.root), "/data", workspace.folder / "mounts/0", workspace.cache
    )
    (overlay,) = view.overlays
    mask = workspace.folder / "mounts/0/mask"
    assert (overlay.targets, overlay.lowers) == (("/data",), (str(mask), str(workspace.root)))
    assert view.left_out == ("sub/.env",)
    assert view.notes == ("/data: left out of the sandbox: sub/.env (see .cleanroomignore)",)
    assert "credential" not in (mask / ".git/config").read_text()


def test_the_folder_that_makes_a_name_a_secret_may_be_the_root(workspace: Workspace) -> None:
    workspace.write(".docker/config.json")
    cache = workspace.cache
    view = module.prepare_mount(
        str(workspace.root / ".docker"), "/d", workspace.folder / "mounts/0", cache
    )
    assert view.left_out == ("config.json",)


def test_a_mount_that_is_gone_is_said(workspace: Workspace) -> None:
    with pytest.raises(Fault, match="cannot make a view of /gone"):
        module.prepare_mount("/gone", "/d", workspace.folder / "mounts/0", workspace.cache)
