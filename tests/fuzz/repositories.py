"""Repositories of git of every shape, and what git itself says of them.

In: a Random, a folder. Out: a repository made by git, its commits, answers of its upload-pack; a
pack as git reads it. Never: a pack written here.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

_GIT: Final = shutil.which("git") or "git"  # tools/check-system asks for it
_WHO: Final = b"x <x@mail.example> 1800000000 +0000"
_LARGE: Final = 70_000  # bytes: such are not held whole


Named = tuple[str, str, bytes]  # an object: its name, its kind, its bytes


def git(folder: Path, *words: str, given: bytes = b"", protocol: str = "") -> bytes:
    """Run git; return what it wrote. Raises CalledProcessError."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {"GIT_PROTOCOL": protocol} if protocol else {}
    command = (_GIT, *words)
    done = subprocess.run(
        command, cwd=folder, env=env, input=given, capture_output=True, check=True
    )
    return done.stdout


@dataclass(frozen=True)
class Repository:
    """One that git made. `commits`: each with its parents; `tags`: objects, not names."""

    folder: Path
    form: str
    commits: dict[str, list[str]]
    tags: tuple[str, ...]

    def upload(self, question: bytes, protocol: str) -> bytes:
        """Return what upload-pack answers."""
        words = ("upload-pack", "--stateless-rpc", ".")
        return git(self.folder, *words, given=question, protocol=protocol)

    def objects(self) -> dict[str, Named]:
        """Return all that is in it, by name."""
        listed = git(self.folder, "cat-file", "--batch-all-objects", "--batch")
        found, at = {}, 0
        while at < len(listed):
            end = listed.index(b"\n", at)
            name, kind, size = listed[at:end].decode().split(" ")
            found[name] = name, kind, listed[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
        return found


def make(random: Random, folder: Path) -> Repository:
    """Return a repository: merges, tags, submodules, links, empty trees, large and equal files."""
    form = random.choice(("sha1", "sha1", "sha256"))
    git(folder, "init", "-q", "--bare", f"--object-format={form}", "-b", "main")
    for name, value in (
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("core.compression", str(random.randrange(-1, 10))),
        ("pack.compression", str(random.randrange(-1, 10))),
        ("core.bigFileThreshold", random.choice(("512m", "512m", "20k"))),
        ("pack.writeReverseIndex", random.choice(("true", "false"))),
        ("fastimport.unpackLimit", random.choice(("0", "1000"))),
    ):
        git(folder, "config", name, value)
    history = _History(random, 40 if form == "sha1" else 64)
    for _ in range(random.randint(1, 3)):  # each is a pack of its own
        words = ["fast-import", "--quiet", "--force", f"--depth={random.choice((0, 1, 50))}"]
        words += ["--import-marks-if-exists=marks", "--export-marks=marks"]
        git(folder, *words, given=history.more(random.randint(1, 6)))
        if random.randrange(2):
            _repack(random, folder)
    listed = git(folder, "rev-list", "--all", "--parents").decode().splitlines()
    found = {name: parents for name, *parents in map(str.split, listed)}
    tags = git(folder, "for-each-ref", "--format=%(objectname)", "refs/tags").decode().split()
    return Repository(folder, form, found, tuple(tags))


def read_by_git(pack: bytes, form: str, folder: Path) -> Repository:
    """Return a repository that has what is in a pack. Raises CalledProcessError."""
    git(folder, "init", "-q", "--bare", f"--object-format={form}")
    git(folder, "index-pack", "--stdin", given=pack)
    return Repository(folder, form, {}, ())


def reached(repository: Repository, wanted: set[str], cut: set[str]) -> set[str]:
    """Return all that is reached from some objects, but for the parents of commits that are cut.

    Raises CalledProcessError if any is missing.
    """
    shallow = repository.folder / "shallow"
    shallow.write_text("".join(f"{each}\n" for each in sorted(cut)))
    listed = git(repository.folder, "rev-list", "--objects", *sorted(wanted))
    shallow.unlink()
    return {line.split(b" ")[0].decode() for line in listed.splitlines()}


def _repack(random: Random, folder: Path) -> None:
    words = ["repack", "-q", random.choice(("-adf", "-ad", "-d"))]
    words += [f"--window={random.choice((0, 2, 10))}", f"--depth={random.choice((1, 3, 50))}"]
    words += ["-b"] if words[2] != "-d" and random.randrange(2) else []
    git(folder, *words)


class _History:
    """Writes what `git fast-import` reads."""

    def __init__(self, random: Random, digits: int) -> None:
        self._random = random
        self._digits = digits
        self._marks = 0
        self._names: list[int] = []
        self._files = [b"", b"one\n", random.randbytes(_LARGE), random.randbytes(300)]
        self._tags = 0

    def more(self, commits: int) -> bytes:
        """Return some commits on top of those before."""
        random, made = self._random, bytearray()
        for _ in range(commits):
            self._marks += 1
            parents = random.sample(self._names, min(len(self._names), random.randrange(4)))
            branch = b"refs/heads/b%d" % random.randrange(3) if parents else b"refs/heads/main"
            text = random.choice((b"", b"m", b"parent " + b"a" * self._digits + b"\n"))
            made += b"reset %b\n\n" % branch
            made += b"commit %b\nmark :%d\n" % (branch, self._marks)
            made += b"committer %b\ndata %d\n%b\n" % (_WHO, len(text), text)
            for word, parent in zip((b"from", b"merge", b"merge"), parents, strict=False):
                made += b"%b :%d\n" % (word, parent)
            made += b"".join(self._change() for _ in range(random.randrange(5))) + b"\n"
            self._names.append(self._marks)
            made += b"reset refs/heads/kept%d\nfrom :%d\n\n" % (self._marks, self._marks)
            if random.randrange(4) == 0:
                self._tags += 1
                made += b"tag t%d\nfrom :%d\ntagger %b\ndata 1\nt\n" % (
                    self._tags, self._marks, _WHO,
                )  # fmt: skip
        return bytes(made)

    def _change(self) -> bytes:
        random = self._random
        place = b"/".join(
            random.choice((b"a", b"b", b"c d", b"a.b", b"\xc3\xa9"))
            for _ in range(random.randint(1, 3))
        )
        match random.randrange(12):
            case 0:
                return b"deleteall\n"
            case 1:
                name = random.choice((b"1", b"a")) * self._digits
                return b'M 160000 %b "%b"\n' % (name, place)
            case 2:
                return b'D "%b"\n' % place
            case 3:
                return b'M 120000 inline "%b"\ndata 4\nlink\n' % place
            case _:
                data = self._file()
                mode = random.choice((b"100644", b"100755"))
                return b'M %b inline "%b"\ndata %d\n%b\n' % (mode, place, len(data), data)

    def _file(self) -> bytes:
        random = self._random
        data = bytearray(random.choice(self._files))
        if random.randrange(3):
            at = random.randrange(len(data) + 1)
            data[at : at + random.choice((0, 3, 40))] = random.randbytes(random.choice((1, 9, 200)))
            self._files.append(bytes(data))
        return bytes(data)
