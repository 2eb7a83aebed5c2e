"""What a sandbox packed, brought onto this machine as data: files, folders, harmless links.

In: an Archive, a folder of ours. Out: files with plain modes, and what was left out and why.
Never: a path through a link, set-uid or anything everybody may write, a device, FIFO or socket, a
link that leads out or through another, anything named .git, or a file replaced unasked.

Every name is opened one by one from the top folder without following links; links are made last.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from cleanroom.client.tar import FILE, FOLDER, LINK, Archive, Member
from cleanroom.errors import Code, UserError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ZEROS: Final = bytes(4096)
MOST_DEPTH: Final = 64  # as in `apply`; programs that walk trees by recursion end at a thousand
LEFT_OUT: Final = "neither file, folder nor link"


class Unpacker:
    """Unpacks below `top`, an open folder. `skipped` says what was left out: (path, why)."""

    def __init__(self, top: int, *, replace: bool) -> None:
        self._top = top
        self._replace = replace
        self._links: list[Member] = []
        self.skipped: list[tuple[str, str]] = []
        self.written = 0

    def unpack(self, archive: Archive, rename: tuple[str, ...] | None = None) -> None:
        """Bring everything; `rename`: what the one file of the archive is called here.

        Raises UserError(conflict) for a file that exists, Fault for a broken archive, OSError.
        """
        for packed in archive:
            member = packed._replace(parts=rename) if rename else packed
            why = unwanted(member)
            if why:
                self.skipped.append((member.path, why))
            elif member.kind == FOLDER:
                with self._folder(member.parts):
                    pass
            elif member.kind == LINK:
                self._links.append(member)
            else:
                self._file(member, archive)
        self._make_links()

    def _file(self, member: Member, archive: Archive) -> None:
        with self._folder(member.parts[:-1]) as folder:
            self._check_free(folder, member)
            draft = f".cleanroom-{secrets.token_hex(8)}"
            descriptor = os.open(draft, _NEW, 0o600, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    for data in archive.data():
                        if data.count(0) == len(data):  # a hole stays one
                            file.seek(len(data), os.SEEK_CUR)
                        else:
                            file.write(data)
                    file.truncate()
                    file.flush()
                    os.fchmod(descriptor, _mode(member))
                    os.utime(descriptor, (member.mtime, member.mtime))
                os.rename(draft, member.parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=folder)
                raise
        self.written += 1

    def _make_links(self) -> None:
        made = {link.parts for link in self._links}
        for link in self._links:
            why = self._harmful(link, made)
            if why:
                self.skipped.append((link.path, why))
                continue
            with self._folder(link.parts[:-1]) as folder:
                self._check_free(folder, link)
                draft = f".cleanroom-{secrets.token_hex(8)}"
                os.symlink(link.target, draft, dir_fd=folder)
                os.rename(draft, link.parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            self.written += 1

    def _harmful(self, link: Member, made: set[tuple[str, ...]]) -> str:
        """Say why a link must not exist: it leads out, or through or to another link."""
        target = landing(link)
        if target is None:
            return "a link that leads out"
        ways = (target[:count] for count in range(1, len(target) + 1))
        if any(way in made or self._is_link(way) for way in ways):
            return "a link through another link"
        return ""

    def _is_link(self, parts: tuple[str, ...]) -> bool:
        try:
            with self._existing(parts[:-1]) as folder:
                facts = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISLNK(facts.st_mode)

    def _check_free(self, folder: int, member: Member) -> None:
        with suppress(FileNotFoundError):
            facts = os.stat(member.parts[-1], dir_fd=folder, follow_symlinks=False)
            if not self._replace or stat.S_ISDIR(facts.st_mode):
                message = f"cannot write {member.path!r}: it exists"
                hint = "name another place" if stat.S_ISDIR(facts.st_mode) else "add --force"
                raise UserError(Code.CONFLICT, message, hint)

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        """Open a folder below the top, made if it is missing."""
        folder = os.dup(self._top)
        try:
            for part in parts:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=folder)
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _existing(self, parts: tuple[str, ...]) -> Iterator[int]:
        folder = os.dup(self._top)
        try:
            for part in parts:
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def unwanted(member: Member) -> str:
    """Say why a member is never brought out; "" if it may be."""
    if any(is_git(part) for part in member.parts):
        return "part of a git repository; commits: cleanroom apply --branch NAME"
    if member.kind not in (FILE, FOLDER, LINK):
        return LEFT_OUT
    if len(member.parts) > MOST_DEPTH + 1:
        return f"deeper than {MOST_DEPTH} folders"
    return "" if member.parts or member.kind == FOLDER else LEFT_OUT


def is_git(name: str) -> bool:
    """Whether git, or a file system that folds names, would take this for `.git`.

    Some ignore what follows a colon, or take a backslash for the end of a folder's name.
    """
    folded = "".join(char for char in name.casefold() if char.isprintable())
    return folded.replace("\\", ":").partition(":")[0].rstrip(". ") in (".git", "git~1")


def _mode(member: Member) -> int:
    return 0o755 if member.mode & 0o100 else 0o644


def landing(link: Member) -> tuple[str, ...] | None:
    """Return where a link leads by its text alone; None: out of the folder, or nowhere."""
    if not link.target or link.target.startswith("/"):
        return None
    place = list(link.parts[:-1])
    named = False
    for part in link.target.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            named = True
            place.append(part)
        elif named or not place:  # `..` after a name may mean what that name means
            return None
        else:
            place.pop()
    return tuple(place)
