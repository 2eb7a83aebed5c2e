"""Files of this machine as a tar archive.

In: a path that a person named, the name it gets. Out: pieces of the archive. Never: a device, FIFO
or socket read, a link followed below what was named, or a file longer than was promised.
"""

# Everything here is done by descriptors, which pathlib does not know:
# ruff: noqa: PTH115, PTH208
import os
import stat
from collections.abc import Iterator
from typing import Final

from cleanroom.client.tar import BLOCK, END, FILE, FOLDER, LINK, Member, header_bytes

PIECE: Final = 256 * 1024
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Packer:
    """Packs one path. `skipped` are paths that are no files, folders or links."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pack(self, path: str, name: tuple[str, ...]) -> Iterator[bytes]:
        """Yield the archive in which `path` is called `name`; of (), only what it holds.

        Raises OSError for what cannot be read.
        """
        yield from self._one(os.path.realpath(path), name)  # a link that was named is followed
        yield END

    def _one(self, path: str, name: tuple[str, ...]) -> Iterator[bytes]:
        facts = os.lstat(path)
        if stat.S_ISDIR(facts.st_mode):
            if name:
                yield header_bytes(_member(name, FOLDER, facts))
            for each in sorted(os.listdir(path)):
                yield from self._one(f"{path}/{each}", (*name, each))
        elif stat.S_ISLNK(facts.st_mode):
            yield header_bytes(_member(name, LINK, facts)._replace(target=os.readlink(path)))
        elif stat.S_ISREG(facts.st_mode):
            yield from _file(path, name)
        else:
            self.skipped.append(path)


def _file(path: str, name: tuple[str, ...]) -> Iterator[bytes]:
    with os.fdopen(os.open(path, _READ), "rb", buffering=0) as file:
        facts = os.fstat(file.fileno())
        yield header_bytes(_member(name, FILE, facts)._replace(size=facts.st_size))
        left = facts.st_size
        while left:
            data = file.read(min(left, PIECE)) or bytes(min(left, PIECE))  # it was cut meanwhile
            left -= len(data)
            yield data
        yield bytes(-facts.st_size % BLOCK)


def _member(name: tuple[str, ...], kind: str, facts: os.stat_result) -> Member:
    return Member(name, kind, 0, stat.S_IMODE(facts.st_mode), int(facts.st_mtime))
