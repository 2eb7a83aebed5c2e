"""Packs of a hostile git host: what they have beside what was asked for, and what they lack.

By git itself, whose server sends packs that are written here. Promise R30.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cleanroom.decide.objects import MOST_OBJECTS
from tests.escape.egress_world import Report, eventually
from tests.escape.git_internet import GitInternet, banded, git_hosts
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_git import RUN, Repository, clone, git
from tests.escape.test_registries_git_locked import POLICY, STRICT, Locked, lock

pytestmark = pytest.mark.escape

OPEN: Final = POLICY.replace("MODE", "off").replace("EXCEPTIONS", "")


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file."""
    assert programs.is_dir()
    with git_hosts(), registries(internet=GitInternet) as made:
        yield made


@pytest.fixture
def lib(outside: Registries) -> Locked:
    """A repository of this test alone."""
    return Locked()


def packed(
    lib: Repository, *, without: str = "", more: str = "", flags: tuple[str, ...] = ()
) -> bytes:
    """Return a pack of the locked commit, but for one object, and with another one."""
    listed = git(lib.tree, "rev-list", "--objects", *flags, "HEAD~2").split("\n")
    names = [line.split(" ")[0] for line in listed if line.split(" ")[0] != without]
    given = "\n".join([*names, *filter(None, [more]), ""]).encode()
    done = subprocess.run(
        (shutil.which("git") or "git", "pack-objects", "--stdout", "-q"),
        cwd=lib.tree, input=given, capture_output=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    return done.stdout


def run(
    outside: Registries, lib: Locked, *commands: tuple[str, ...], policy: str = STRICT
) -> Report:
    """Run git in a sandbox of its own, under a lock file."""
    program = f"{RUN}\nresult = [git(*each) for each in {commands!r}]"
    text = lock((lib.url, lib.pinned))
    return outside.world.run(policy, program, files={"package-lock.json": text})


def hidden(lib: Repository) -> str:
    """Return an object that no commit has."""
    file = lib.tree / "second-stage"
    file.write_text("what came beside it\n")
    return git(lib.tree, "hash-object", "-w", str(file))


def test_the_pack_that_was_asked_for_is_taken(outside: Registries, lib: Locked) -> None:
    """So the tests below see what they are called after, not a pack that is made wrongly."""
    GitInternet.packs[lib.name] = packed(lib)
    said = run(outside, lib, *clone(lib))
    assert said.result == [[0, ""], [0, "two\none\n"]], said.result


def test_what_a_pack_has_beside_it_does_not_come_in(outside: Registries, lib: Locked) -> None:
    """Else what is pinned could have a second part that is not. Git itself takes such a pack, as
    the last test below sees."""
    more = hidden(lib)
    GitInternet.packs[lib.name] = packed(lib, more=more)
    found = ("-C", "copy", "cat-file", "-e", more)
    said = run(outside, lib, clone(lib)[0], found)
    assert said.result[0][0] != 0
    assert said.result[1][0] != 0
    assert "fatal: remote error: integrity_mismatch: mirror.test sent" in said.result[0][1]
    (denied,) = said.denials("integrity_mismatch")
    assert f"has {more[:12]} in it, for which nobody asked" in denied["reason"]


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_pack_is_read_however_it_is_told_of(
    outside: Registries,
    lib: Locked,
    *,
    is_given_up: bool,
) -> None:
    """A host that gives up when all of it was sent; one whose first words are not git's own."""
    more = hidden(lib)
    answer = banded(packed(lib, more=more))
    if is_given_up:
        answer += b"000a\x03sorry0000"
    else:
        begin, size = answer.index(b"PACK"), int(answer[13:17], 16)
        length = b"%04x" % (size - 1)
        answer = b"000cpackfile0006\x01P" + length + b"\x01" + answer[begin + 1 :]
    GitInternet.packs[lib.name] = answer
    fetch = ("-C", "copy", "fetch", "-q", "--no-tags", lib.url, lib.pinned)
    said = run(outside, lib, ("init", "-q", "copy"), fetch, ("-C", "copy", "cat-file", "-e", more))
    assert said.result[1][0] != 0
    assert said.result[2][0] != 0
    assert said.denials()


def test_a_pack_that_is_too_large_is_refused_with_what_lets_it_pass(
    outside: Registries, lib: Locked
) -> None:
    """Git itself says so, and its line opens the repository."""
    many = b"PACK\0\0\0\2" + (MOST_OBJECTS + 1).to_bytes(4, "big") + packed(lib)[12:-20]
    GitInternet.packs[lib.name] = many + hashlib.sha1(many, usedforsecurity=False).digest()
    said = run(outside, lib, *clone(lib))
    words = (
        "fatal: remote error: lockfile_violation: mirror.test sent a pack too large to be held to"
    )
    assert words in said.result[0][1]
    path = lib.name.removesuffix(".git")
    line = f"[{{purl: 'pkg:generic/{path[5:]}?vcs_url=git+https://mirror.test/{path}', expires: "
    assert f"registries.git.exceptions: {line}YYYY-MM-DD, reason: WHY}}]" in said.result[0][1]
    del GitInternet.packs[lib.name]
    policy = STRICT.replace("exceptions: []", f"exceptions: {line}2099-12-31, reason: WHY}}]")
    assert policy != STRICT
    assert run(outside, lib, *clone(lib), policy=policy).result[1][1].startswith("four\n")


@pytest.mark.parametrize("what", ["HEAD~2", "HEAD~2:two", "HEAD~2^{tree}"])
def test_a_pack_that_lacks_something_is_refused_and_not_kept(
    outside: Registries, lib: Locked, what: str
) -> None:
    """The next sandbox gets what the host has by then."""
    GitInternet.packs[lib.name] = packed(lib, without=git(lib.tree, "rev-parse", what))
    said = run(outside, lib, *clone(lib))
    assert said.result[0][0] != 0
    assert said.denials("integrity_mismatch")
    del GitInternet.packs[lib.name]
    assert run(outside, lib, *clone(lib)).result == [[0, ""], [0, "two\none\n"]]


def test_a_part_of_history_is_no_answer_to_who_asked_for_all_of_it(
    outside: Registries, lib: Locked
) -> None:
    """Though the host says where it ends."""
    cut = f"shallow {lib.pinned}"
    begin = f"0011shallow-info\n{len(cut) + 4:04x}{cut}0001".encode()
    GitInternet.packs[lib.name] = begin + banded(packed(lib, flags=("--max-count=1",)))
    part = ("clone", "-q", "--depth", "1", lib.url, "part")
    said = run(outside, lib, part, *clone(lib))
    assert said.result[0] == [0, ""]
    assert said.result[1][0] != 0
    (denied,) = said.denials("integrity_mismatch")
    assert "which an object of it names" in denied["reason"]


def test_what_a_first_sandbox_got_is_judged_again_for_a_second(
    outside: Registries, lib: Locked
) -> None:
    """The first is held to nothing, has the host answer what it likes, and it is kept."""
    git(lib.bare, "update-ref", "refs/heads/main", lib.pinned)  # both ask one question
    git(lib.bare, "update-ref", "-d", "refs/heads/other")
    git(lib.bare, "tag", "-d", "v1", "light")
    more = hidden(lib)
    bad = packed(lib, more=more)
    GitInternet.packs[lib.name] = bad
    fetch = ("-C", "copy", "fetch", "-q", "--no-tags", lib.url, lib.pinned)
    found = ("-C", "copy", "cat-file", "-e", more)
    commands = (("init", "-q", "copy"), fetch, found)
    first = run(outside, lib, *commands, policy=OPEN)
    assert [status for status, _ in first.result] == [0, 0, 0], first.result
    del GitInternet.packs[lib.name]
    assert eventually(lambda: outside.keeps_any(b"000dpackfile\n"), 60)
    second = run(outside, lib, *commands)
    assert [status for status, _ in second.result[:2]] == [0, 0], second.result
    assert second.result[2][0] != 0
    asked = [each for each in outside.script.asked if "want " in each.head]
    assert len(asked) == 2
