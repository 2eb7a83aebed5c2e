"""Commits made inside become a branch of the host, and nothing else comes with them."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from cleanroom.backends.workspace.branch import Brought, bring_branch, has_commits
from cleanroom.errors import CleanroomError, Refused, UserError
from tests.backends.workspace.overlays import Workspace, tree

AS = "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@host.example"
ALSO = "export GIT_COMMITTER_NAME=Bot GIT_COMMITTER_EMAIL=bot@host.example"
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "me" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(root: Path, *words: str) -> str:
    """What the host's own git says."""
    command = ["/usr/bin/git", "-C", str(root), *words]
    return subprocess.run(
        command, env=ENVIRONMENT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(workspace: Workspace) -> Workspace:
    """A repository with one commit."""
    git(workspace.root, "init", "-q", "-b", "main")
    workspace.write("a", "a")
    workspace.write("run", "#!/bin/sh", 0o755)
    git(workspace.root, "add", "-A")
    git(workspace.root, "commit", "-q", "-m", "first")
    return workspace


def inside(workspace: Workspace, script: str) -> None:
    workspace.run(f"{AS}; {ALSO}; {script}")


def bring(workspace: Workspace, name: str = "agent", *, check: bool = False) -> Brought:
    return asyncio.run(bring_branch(workspace.folder, name, check=check))


def refused(workspace: Workspace, name: str = "agent") -> CleanroomError:
    """The error; the host has no new branch and no new object."""
    before = (git(workspace.root, "for-each-ref"), git(workspace.root, "count-objects", "-v"))
    with pytest.raises((UserError, Refused)) as caught:
        bring(workspace, name)
    assert before == (
        git(workspace.root, "for-each-ref"),
        git(workspace.root, "count-objects", "-v"),
    )
    assert not list(workspace.folder.glob("carry-*"))
    return caught.value


def test_commits_come_out_as_they_were_made(repository: Workspace) -> None:
    inside(
        repository,
        "echo b > b; git add b; git commit -qm second; git rm -q a; mkdir d; git mv run d/run;"
        " ln -s d/run link; chmod +x b; git add -A; git commit -qm third; git log > /dev/null;"
        " git rev-parse HEAD > .git/said; git log --format=%an%ae%cn%at%s > .git/log",
    )
    upper = repository.folder / "workspace/upper/.git"
    before = tree(repository.root / "d") if (repository.root / "d").exists() else {}
    brought = bring(repository)
    tip = (upper / "said").read_text().strip()
    assert (brought.commit, brought.count, brought.notable) == (tip, 2, ())
    assert git(repository.root, "rev-parse", "agent") == tip
    log = git(repository.root, "log", "--format=%an%ae%cn%at%s", "agent")
    assert log == (upper / "log").read_text().strip()
    assert git(repository.root, "fsck", "--strict", "--full") == ""
    assert git(repository.root, "ls-tree", "-r", "--format=%(objectmode) %(path)", "agent") == (
        "100755 b\n100755 d/run\n120000 link"
    )
    assert git(repository.root, "status", "--porcelain") == ""  # the working tree is as it was
    assert git(repository.root, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert before == {}
    assert not list(repository.folder.glob("carry-*"))


def test_a_branch_of_the_sandbox_that_was_packed_comes_out(repository: Workspace) -> None:
    inside(
        repository,
        "git checkout -qb topic; echo b > b; git add b; git commit -qm second; git gc -q;"
        " git pack-refs --all",
    )
    assert bring(repository, "from/inside").count == 1
    assert git(repository.root, "log", "--format=%s", "from/inside") == "second\nfirst"


def test_what_is_checked_is_not_done(repository: Workspace) -> None:
    inside(repository, "echo b > b; git add b; git commit -qm second")
    assert bring(repository, check=True).count == 1
    assert git(repository.root, "branch", "--list", "agent") == ""


def test_a_second_try_needs_another_name(repository: Workspace) -> None:
    inside(repository, "echo b > b; git add b; git commit -qm second")
    bring(repository)
    for name in ("agent", "agent/more", "main"):
        with pytest.raises(UserError, match="exists"):
            bring(repository, name)
    git(repository.root, "pack-refs", "--all")
    with pytest.raises(UserError, match="exists"):
        bring(repository)
    assert bring(repository, "other").count == 0  # the host has it all
    assert git(repository.root, "rev-parse", "other") == git(repository.root, "rev-parse", "agent")


@pytest.mark.parametrize("name", ["", "../x", "a..b", "-x", ".a", "a.lock", "a b", "a\n", "HEAD"])
def test_a_name_that_is_no_branch_is_refused(repository: Workspace, name: str) -> None:
    assert "branch named" in refused(repository, name).message


def test_where_nothing_was_committed_there_is_no_branch(repository: Workspace) -> None:
    inside(repository, "echo b > b")
    assert "no commit was made inside" in refused(repository).message


def test_commits_that_changed_no_file_of_the_host_are_seen(repository: Workspace) -> None:
    repository.write("b", "not committed on the host")
    inside(repository, "true")
    assert not has_commits(repository.folder)
    inside(repository, "git checkout -qb topic; git add -A; git commit -qm second")
    assert has_commits(repository.folder)
    assert bring(repository).count == 1


def test_outside_a_repository_there_is_no_branch(workspace: Workspace) -> None:
    workspace.prepare()
    assert not has_commits(workspace.folder)
    with pytest.raises(UserError, match="no git repository"):
        bring(workspace)


def test_nothing_that_the_sandbox_configures_is_run(repository: Workspace) -> None:
    proof = repository.base / "proof"
    inside(
        repository,
        f"for h in post-index-change reference-transaction pre-commit post-commit; do printf"
        f" '#!/bin/sh\\ntouch {proof}\\n' > .git/hooks/$h; done; echo b > b; git add b;"
        f" git -c core.hooksPath=/dev/null commit -qm second; chmod +x .git/hooks/*;"
        f" git config core.fsmonitor 'touch {proof}'; git config core.sshCommand 'touch {proof}';"
        f" git config filter.x.smudge 'touch {proof}'; echo '* filter=x' > .git/info/attributes;"
        f" echo {repository.base}/elsewhere > .git/objects/info/alternates;"
        f" rm -f {proof}",
    )
    bring(repository)
    assert not proof.exists()
    assert git(repository.root, "config", "--list", "--local").count("touch") == 0
    assert not (repository.root / ".git/objects/info/alternates").exists()


def test_files_that_decide_later_runs_are_named(repository: Workspace) -> None:
    inside(
        repository,
        "mkdir -p .github; touch .github/ci.yml uv.lock x; git add -A; git commit -qm second",
    )
    assert [each.path for each in bring(repository).notable] == [".github/ci.yml", "uv.lock"]


@pytest.mark.parametrize(
    "script",
    [
        "ln -s /etc/passwd l",
        "mkdir d; ln -s ../../x d/l",
        "ln -s .git/hooks l",
        "ln -s out/passwd l",
        "ln -s /etc l; git add -A; git commit -qm bad; rm l; touch fine",
    ],
)
def test_a_link_that_leads_out_is_in_no_commit(repository: Workspace, script: str) -> None:
    (repository.root / "out").symlink_to("/etc")
    git(repository.root, "add", "out")
    git(repository.root, "commit", "-q", "-m", "the host's own")
    inside(repository, f"{script}; git add -A; git commit -qm second")
    assert "leads out" in refused(repository).message


TREES = {
    "a .git in a tree": "printf '100644 blob %s\\t.git\\n' $B",
    "a .GIT in a tree": "printf '100644 blob %s\\t.GIT\\n' $B",
    "a parent in a tree": "printf '100644 blob %s\\t..\\n' $B",
    "a name twice": "printf '100644 blob %s\\tx\\n100644 blob %s\\tx\\n' $B $B",
}


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
def test_a_tree_that_git_would_not_make_is_refused(repository: Workspace, make: str) -> None:
    inside(
        repository,
        f"B=$(git hash-object -w a); T=$({make} | git mktree);"
        " C=$(git commit-tree -p HEAD -m bad $T); git update-ref refs/heads/main $C",
    )
    refused(repository)


def test_an_object_that_is_missing_or_altered_is_refused(repository: Workspace) -> None:
    inside(
        repository,
        "echo new > b; git add b; git commit -qm second; F=.git/objects/$(git rev-parse HEAD:b |"
        " sed 's,^..,&/,'); chmod u+w $F; rm $F",
    )
    refused(repository)
    inside(
        repository,
        "echo other > x; cp .git/objects/$(git hash-object -w x |"
        " sed 's,^..,&/,') $(echo .git/objects/$(git rev-parse HEAD:b | sed 's,^..,&/,'))",
    )
    refused(repository)


def test_a_commit_of_nobody_is_refused(repository: Workspace) -> None:
    inside(
        repository,
        "C=$(printf 'tree %s\\nauthor x\\n\\nm' $(git rev-parse HEAD^{tree}) |"
        " git hash-object -t commit -w --stdin --literally);"
        " echo $C > .git/refs/heads/main",
    )
    refused(repository)


def test_links_in_the_git_folder_are_not_followed(repository: Workspace) -> None:
    secret = repository.base / "secret"
    secret.write_text("S3CRET")
    inside(
        repository,
        f"echo b > b; git add b; git commit -qm second; mv .git/objects/pack p;"
        f" ln -s {repository.base} .git/objects/pack; rm .git/HEAD; ln -s {secret} .git/HEAD",
    )
    assert "no commit was made inside" in refused(repository).message


def test_the_worktree_of_another_repository_brings_its_commits_there(workspace: Workspace) -> None:
    main = workspace.base / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "main")
    git(main, "commit", "-q", "--allow-empty", "-m", "first")
    workspace.root.rmdir()
    git(main, "worktree", "add", "-q", str(workspace.root), "-b", "topic")
    workspace.prepare()
    git_upper = workspace.folder / "git/upper"
    tip = git(main, "commit-tree", "-p", "topic", "-m", "inside", "topic^{tree}")
    made = main / ".git/objects" / tip[:2] / tip[2:]
    there = git_upper / "objects" / tip[:2]
    there.mkdir(parents=True)
    made.rename(there / tip[2:])
    (git_upper / "refs/heads").mkdir(parents=True)
    (git_upper / "refs/heads/topic").write_text(f"{tip}\n")
    assert bring(workspace).count == 1
    assert git(main, "log", "--format=%s", "agent") == "inside\nfirst"


def test_a_branch_belongs_to_the_owner_of_the_repository(repository: Workspace) -> None:
    inside(repository, "echo b > b; git add b; git commit -qm second")
    if os.geteuid() == 0:
        os.chown(repository.root / ".git", 12345, 12346)
    bring(repository)
    owner = (repository.root / ".git").stat()
    pack = next((repository.root / ".git/objects/pack").glob("*.pack"))
    for place in (repository.root / ".git/refs/heads/agent", pack, pack.with_suffix(".idx")):
        assert (place.stat().st_uid, place.stat().st_gid) == (owner.st_uid, owner.st_gid)
