"""Run git on a repository of ours: no configuration, no hook, no prompt, bounded.

In: a scratch repository, words, standard input. Out: standard output. Never: git run in a folder
that a workload wrote, or with anybody's configuration.
"""

import contextlib
import resource
from pathlib import Path
from typing import Final

from cleanroom.backends.process import (
    Bounds,
    Captured,
    Launch,
    capture_within,
    find_program,
    memory_file,
)
from cleanroom.errors import Code, Refused

TIMEOUT_S: Final = 120.0
MAX_OUTPUT: Final = 64 * 1024 * 1024
MOST_MARKS: Final = 127  # git-merge-file(1): "truncated to 127 if there are more"
_LIMITS: Final = (
    (resource.RLIMIT_AS, 4 << 30),
    (resource.RLIMIT_CPU, 120),
    (resource.RLIMIT_FSIZE, 2 << 30),
    (resource.RLIMIT_CORE, 0),
)
_ENVIRONMENT: Final = {
    "HOME": "/nonexistent",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "",
}
_SETTINGS: Final = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
    "pack.threads=1", "core.bigFileThreshold=16m", "pack.windowMemory=128m",
    "core.deltaBaseCacheLimit=64m",
)  # fmt: skip


class GitError(Exception):
    """Git said no to what it was given."""


class Scratch:
    """A bare repository in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def init(self, object_format: str, alternates: str, shallow: str | None) -> None:
        """Make it. Its objects are its own and those of `alternates`. Raises Fault."""
        self.folder.mkdir(mode=0o700)
        template = f"--template={self.folder}/none"
        await self.run(
            "init", "-q", "--bare", template, f"--object-format={object_format}", str(self.folder)
        )
        info = self.folder / "objects" / "info"
        info.mkdir(exist_ok=True)
        (info / "alternates").write_text(f"{alternates}\n")
        if shallow:
            (self.folder / "shallow").write_text(shallow)

    async def run(self, *words: str, stdin: bytes | int = b"") -> bytes:
        """Return what git wrote. Raises GitError if it failed, Fault if it cannot be run."""
        with contextlib.ExitStack() as stack:
            given = stdin
            if isinstance(given, bytes):
                given = stack.enter_context(memory_file(given)).fileno()
            ended = await _git(words, self.folder, self.folder, given)
        if ended.status != 0:
            raise GitError(_said(ended.stderr[:4096]))
        return ended.stdout


async def merge_files(folder: Path, names: tuple[str, str, str]) -> tuple[bytes, int]:
    """Merge three files of `folder`, the second what both others began as; also how many marks.

    Raises GitError for what git takes for no text, Refused, Fault.
    """
    labels = [word for name in names for word in ("-L", name)]
    ended = await _git(("merge-file", "-p", *labels, "--", *names), folder, folder / "none", None)
    if ended.status > MOST_MARKS:
        raise GitError(_said(ended.stderr[:4096]))
    return ended.stdout, ended.status


async def _git(words: tuple[str, ...], cwd: Path, git_dir: Path, stdin: int | None) -> Captured:
    program = find_program("git")
    if program is None:
        message = f"cannot run git {words[0]}: git is not installed"
        raise Refused(Code.BACKEND_UNAVAILABLE, message, "apt-get install git")
    settings = [word for each in _SETTINGS for word in ("-c", each)]
    environment = {**_ENVIRONMENT, "GIT_DIR": str(git_dir)}
    launch = Launch((program, *settings, *words), environment, cwd=str(cwd), stdin=stdin)
    return await capture_within(launch, Bounds(TIMEOUT_S, MAX_OUTPUT, _LIMITS))


def _said(text: bytes) -> str:
    """The first line that names a fault."""
    lines = text.decode("utf-8", "replace").splitlines()
    faults = [line for line in lines if line.startswith(("error:", "fatal:"))]
    return (faults or lines or ["it gave no reason"])[0][:300]
