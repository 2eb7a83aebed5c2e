"""A repository as people have them: merges, tags, a submodule, files of LFS, a large pack.

By git itself, against git's own server (`git http-backend`), held to lock files. Promises R28, R30.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_git import RUN, Repository, git
from tests.escape.test_registries_git_locked import POLICY, lock

pytestmark = pytest.mark.escape

POINTER: Final = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
SUM: Final = ("-c", "alias.sum=!sha256sum large", "-C", "copy", "sum")


BARE: Final = ("clone", "-q", "--bare")
OTHERS: Final = (
    ("-c", "protocol.version=1", *BARE),
    ("-c", "protocol.version=0", *BARE),
    (*BARE, "--depth=1"),
    (*BARE, "--single-branch", "--branch", "locked"),
)


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file."""
    assert programs.is_dir()
    with git_hosts(), registries(internet=GitInternet) as made:
        yield made


class Real(Repository):
    """A history of forty commits with all that is said above."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.part = Repository()
        git(self.tree, "config", "core.compression", "0")  # noise is not made smaller anyway
        for number in range(10):
            git(self.tree, "switch", "-q", "-c", f"b{number}")
            self.commit(f"side{number}", f"{number}\n" * 500)
            git(self.tree, "switch", "-q", "main")
            self.commit("one", f"{number}\n" * 4000)
            git(self.tree, "merge", "-q", "--no-ff", "-m", "merge", f"b{number}")
            git(self.tree, "tag", "-a", "-m", "words", f"v{number}")
        self.noise = b"".join(hashlib.sha512(b"%d" % at).digest() for at in range(size // 64))
        (self.tree / "large").write_bytes(self.noise)
        self.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
        self.commit("model.bin", POINTER)
        add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
        git(self.tree, *add, str(self.part.bare), "part")
        modules = self.tree / ".gitmodules"
        modules.write_text(modules.read_text().replace(str(self.part.bare), self.part.url))
        self.pinned = self.commit("last", "")
        git(self.tree, "tag", "-a", "-m", "words", "locked")
        self.commit("later", "")
        git(self.tree, "push", "-q", "--tags", str(self.bare), "main")


def run(
    outside: Registries, lib: Real, *commands: tuple[str, ...], flags: tuple[str, ...] = ()
) -> Report:
    """Run git in a sandbox of its own; the submodule is excepted."""
    program = f"{RUN}\nresult = [git(*each) for each in {commands!r}]"
    text = lock((lib.url, lib.pinned))
    purl = f"pkg:generic/part?vcs_url=git+{lib.part.url}"
    open_part = f"{{purl: '{purl}', expires: 2099-12-31, reason: a submodule}}"
    policy = POLICY.replace("MODE", "deny_unknown").replace("EXCEPTIONS", open_part)
    return outside.world.run(policy, program, *flags, files={"package-lock.json": text})


@pytest.mark.parametrize(
    "size", [pytest.param(1_000_000), pytest.param(60_000_000, marks=pytest.mark.nightly)]
)
def test_a_repository_as_people_have_them_is_had_whole_and_offline(
    outside: Registries, size: int
) -> None:
    lib = Real(size)
    digest = hashlib.sha256(lib.noise).hexdigest()
    commands = (
        ("clone", "-q", "--recurse-submodules", lib.url, "copy"),
        SUM,
        ("-C", "copy", "rev-parse", "HEAD", "locked", "HEAD:part"),
        ("-C", "copy", "rev-list", "--count", "HEAD"),
        ("-C", "copy", "show", "HEAD:model.bin"),
        ("-C", "copy/part", "log", "-1", "--format=%s"),
        ("-C", "copy", "fsck", "--strict", "--no-dangling"),
        *((*each, lib.url, f"other{count}") for count, each in enumerate(OTHERS)),
    )
    inner = git(lib.part.tree, "rev-parse", "HEAD")
    for flags in ((), ("--offline",)):
        said = run(outside, lib, *commands, flags=flags)
        assert [status for status, _ in said.result] == [0] * len(commands), said.result
        assert said.result[1][1].startswith(digest)
        assert said.result[2][1].split() == [lib.pinned, lib.pinned, inner]
        assert said.result[3][1] == git(lib.tree, "rev-list", "--count", "HEAD~") + "\n"
        assert said.result[4][1] == POINTER
        assert said.result[5][1] == "two\n"
        assert not said.denials()
        shutil.rmtree(lib.bare, ignore_errors=True)
