"""Git repositories: read over smart HTTP, once for all sandboxes; nothing else of their hosts.

By git itself, against git's own server. Promises R20, R21.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.registry_internet import FETCH, unique
from tests.escape.registry_world import Registries, registries

pytestmark = pytest.mark.escape

POLICY: Final = """\
version: 1
sandbox: {network: {default: deny, allow: []}}
registries: {git: {enable: true, allowed_hosts: [mirror.test]}}
"""
_GIT: Final = shutil.which("git") or "git"
_WHO: Final = {"name": "Somebody", "email": "somebody@mail.example"}
RUN: Final = """
import os, subprocess
ENV = dict(os.environ, GIT_TERMINAL_PROMPT="0", LC_ALL="C")
def git(*words):
    done = subprocess.run(("git", *words), capture_output=True, text=True, timeout=100,
                          cwd="/tmp", env=ENV)
    return [done.returncode, done.stdout + done.stderr]
"""


def git(folder: Path, *words: str) -> str:
    """Run git here; return what it says."""
    who = {f"GIT_{role}_{key.upper()}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in _WHO.items()}  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    done = subprocess.run((_GIT, *words), cwd=folder, env=env, capture_output=True, check=True)
    return done.stdout.decode().strip()


class Repository:
    """A bare repository that the hosts have, and a working tree to add to it."""

    def __init__(self, owner: str = "team") -> None:
        self.name = f"{owner}/{unique('lib')}.git"
        self.bare = GitInternet.folder / self.name
        self.tree = GitInternet.folder / "trees" / self.name
        self.tree.mkdir(parents=True)
        git(self.tree, "init", "-q", "-b", "main")
        self.commit("one", "1\n" * 4000)
        self.commit("two", "2\n")
        self.bare.parent.mkdir(parents=True, exist_ok=True)
        git(self.tree, "clone", "-q", "--bare", ".", str(self.bare))

    @property
    def url(self) -> str:
        """Where sandboxes find it."""
        return f"https://mirror.test/{self.name}"

    def commit(self, file: str, text: str) -> str:
        """Add a commit; return what it is called."""
        (self.tree / file).write_text(text)
        git(self.tree, "add", ".")
        git(self.tree, "commit", "-q", "-m", file)
        return git(self.tree, "rev-parse", "HEAD")

    def publish(self) -> None:
        """Let the hosts have what was committed."""
        git(self.tree, "push", "-q", str(self.bare), "main")


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file."""
    assert programs.is_dir()
    with git_hosts(), registries(internet=GitInternet) as made:
        yield made


@pytest.fixture
def lib(outside: Registries) -> Repository:
    """A repository of this test alone."""
    return Repository()


def run(outside: Registries, *commands: tuple[str, ...], flags: tuple[str, ...] = ()) -> Report:
    """Run git in a sandbox of its own; the result is status and output of each command."""
    program = f"{RUN}\nresult = [git(*each) for each in {commands!r}]"
    return outside.world.run(POLICY, program, *flags)


def clone(lib: Repository, *words: str) -> tuple[tuple[str, ...], ...]:
    """Return commands that clone it, and say what is there then."""
    return ("clone", "-q", *words, lib.url, "copy"), ("-C", "copy", "log", "--format=%s")


def packs(outside: Registries, lib: Repository) -> int:
    """Return how often the host was asked for objects."""
    asked = [each for each in outside.script.asked if each.path == f"/{lib.name}/git-upload-pack"]
    return sum("want " in each.head for each in asked)


@pytest.mark.parametrize("version", ["2", "1", "0"])
def test_a_clone_is_fetched_once_for_all_sandboxes(
    outside: Registries, lib: Repository, version: str
) -> None:
    commands = [("-c", f"protocol.version={version}", *each) for each in clone(lib)]
    for _ in range(2):
        said = run(outside, *commands)
        assert said.result == [[0, ""], [0, "two\none\n"]], said.result
        assert not said.denials()
    assert packs(outside, lib) == 1
    assert "cleanroom" in outside.script.asked[0].head
    assert not [each for each in outside.script.asked if "agent=" in each.head]


def test_a_clone_that_was_made_before_is_there_offline(
    outside: Registries, lib: Repository
) -> None:
    assert run(outside, *clone(lib)).result[0][0] == 0
    shutil.rmtree(lib.bare)
    said = run(outside, *clone(lib), flags=("--offline",))
    assert said.result == [[0, ""], [0, "two\none\n"]]
    said = run(outside, *clone(lib, "--depth=1"), flags=("--offline",))
    assert said.result[0][0] != 0
    assert said.denials("offline_miss")


@pytest.mark.parametrize("words", [("--depth=1",), ("--filter=blob:none", "--no-checkout")])
def test_parts_of_a_repository_are_answers_of_their_own(
    outside: Registries, lib: Repository, words: tuple[str, ...]
) -> None:
    assert run(outside, *clone(lib)).result[0][0] == 0
    for _ in range(2):
        said = run(outside, *clone(lib, *words))
        assert said.result[0][0] == 0, said.result
        assert said.result[1] == [0, "two\n" if "--depth=1" in words else "two\none\n"]
    assert packs(outside, lib) == 2


def test_a_fetch_asks_for_what_is_new(outside: Registries, lib: Repository) -> None:
    """Also for a commit by its name, in a copy that has some already."""
    before = git(lib.tree, "rev-parse", "HEAD~")
    after = git(lib.tree, "rev-parse", "HEAD")
    commands = (
        ("init", "-q", "copy"),
        ("-C", "copy", "fetch", "-q", lib.url, before),
        ("-C", "copy", "checkout", "-q", "-b", "here", "FETCH_HEAD"),
        ("-C", "copy", "fetch", "-q", lib.url, after),
        ("-C", "copy", "log", "--format=%s", "FETCH_HEAD"),
    )
    for _ in range(2):
        said = run(outside, *commands)
        assert said.result[-1] == [0, "two\none\n"], said.result
    assert packs(outside, lib) >= 2


def test_a_commit_that_is_not_there_yet_is_not_refused_for_ever(
    outside: Registries, lib: Repository
) -> None:
    """What the host says of it is an answer without a pack, so it is not kept."""
    new = lib.commit("three", "3\n")
    commands = ("init", "-q", "copy"), ("-C", "copy", "fetch", "-q", lib.url, new)
    said = run(outside, *commands)
    assert said.result[1][0] != 0
    assert "not our ref" in said.result[1][1]
    lib.publish()
    assert run(outside, *commands).result[1] == [0, ""]


def test_a_push_is_refused_and_git_says_why(outside: Registries, lib: Repository) -> None:
    push = ("-C", "copy", "push", "origin", "HEAD:refs/heads/evil")
    said = run(outside, *clone(lib), push)
    assert said.result[2][0] != 0
    assert "registry_not_allowed" in said.result[2][1]
    assert "nothing may be pushed" in said.result[2][1]
    assert said.denials("registry_not_allowed")
    assert not [each for each in outside.script.asked if "receive-pack" in each.path]


def test_a_submodule_of_another_host_leads_nowhere(outside: Registries, lib: Repository) -> None:
    inner = Repository()
    sub = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    git(lib.tree, *sub, str(inner.bare), "good")
    git(lib.tree, *sub, str(inner.bare), "evil")
    modules = lib.tree / ".gitmodules"
    lines = modules.read_text().split("\n")
    urls = iter((inner.url, inner.url.replace("mirror.test", "evil.test")))
    text = "\n".join(f"\turl = {next(urls)}" if "url =" in line else line for line in lines)
    lib.commit(".gitmodules", text)
    lib.publish()
    update = ("-C", "copy", "submodule", "update", "-q", "--init")
    said = run(outside, clone(lib)[0], (*update, "good"), (*update, "evil"))
    assert said.result[1][0] == 0, said.result
    assert said.result[2][0] != 0
    assert said.denials("host_not_allowed")
    assert not [each for each in outside.script.asked if each.host == "evil.test"]


def test_half_a_pack_is_never_served_nor_kept(outside: Registries, lib: Repository) -> None:
    """The host is well framed and dies within the pack. R7."""
    url = lib.url.replace("mirror.test/", "mirror.test/halves/")
    said = run(outside, ("clone", "-q", url, "copy"))
    assert said.result[0][0] != 0
    (denied,) = said.denials("upstream_unreachable")
    assert "an answer that is cut" in denied["reason"]
    assert run(outside, *clone(lib)).result[0][0] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "LIB/info/refs"),
        ("GET", "LIB/HEAD"),
        ("GET", "LIB/objects/info/packs"),
        ("GET", "LIB/info/refs?service=git-receive-pack"),
        ("POST", "LIB/git-receive-pack"),
        ("POST", "LIB/git-upload-archive"),
        ("POST", "LIB/info/lfs/objects/batch"),
        ("GET", "LIB/archive/main.tar.gz"),
        ("GET", "LIB/git-upload-pack"),
        ("POST", "LIB/info/refs?service=git-upload-pack"),
        ("GET", "/api/v4/projects"),
    ],
)
def test_nothing_else_of_a_git_host_is_there(
    outside: Registries, lib: Repository, method: str, path: str
) -> None:
    asked = {"host": "mirror.test", "path": path.replace("LIB", f"/{lib.name}"), "method": method}
    said = outside.world.run(POLICY, f"{FETCH}\nresult = fetch(**{asked!r})")
    assert said.result[0] == 403
    assert not outside.script.asked
