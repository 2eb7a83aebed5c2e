"""Files of the host as a tar stream, for the sandbox's own tar to unpack.

In: an open root, paths below it. Out: bytes, and the digest of what was packed. Never: a link
followed, a set-uid bit, an owner, or a file of another size than its header says.

The format is POSIX.1-2017 pax: a ustar header, after extended records where a name is too long.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Final

from cleanroom.backends.workspace.content import Digest
from cleanroom.backends.workspace.folders import facts_of, open_at, open_plain, opened, split
from cleanroom.backends.workspace.sync import Brought, file_digest, link_digest

_BLOCK: Final = 512
_CHUNK: Final = 256 * 1024
_NAME_BYTES: Final = 100
END: Final = bytes(2 * _BLOCK)


def pack(root: int, paths: Iterable[str], packed: dict[str, Brought]) -> Iterator[bytes]:
    """Return the stream; `packed` says what was put into it.

    What is gone meanwhile, or no longer readable, is left out.
    """
    for path in paths:
        folder, name = split(path)
        at = open_at(root, folder)
        if at is None:
            continue
        with opened(at):
            yield from _entry(at, name, path, packed)
    yield END


def _entry(at: int, name: str, path: str, packed: dict[str, Brought]) -> Iterator[bytes]:
    facts = facts_of(at, name)
    if facts is None:
        return
    if stat.S_ISLNK(facts.st_mode):
        link = os.readlink(name, dir_fd=at)
        packed[path] = Brought(facts.st_ctime_ns, link_digest(link))
        yield _header(path, facts, b"2", link=link)
    elif stat.S_ISDIR(facts.st_mode):
        yield _header(f"{path}/", facts, b"5")
    else:
        fd = open_plain(at, name)
        if fd is not None:
            with opened(fd):
                facts = os.fstat(fd)
                yield _header(path, facts, b"0", size=facts.st_size)
                digest = Digest()
                yield from _content(fd, facts.st_size, digest)
                known = file_digest(facts.st_mode, digest.end(facts.st_size))
                packed[path] = Brought(facts.st_ctime_ns, known)


def _content(fd: int, size: int, digest: Digest) -> Iterator[bytes]:
    left = size
    while left:
        data = os.read(fd, min(left, _CHUNK))
        data = data or bytes(min(left, _CHUNK))  # it was cut: the next look brings the rest
        left -= len(data)
        digest.update(data)
        yield data
    yield bytes(-size % _BLOCK)


def _header(
    path: str, facts: os.stat_result, kind: bytes, *, size: int = 0, link: str = ""
) -> bytes:
    name, target = os.fsencode(f"./{path}"), os.fsencode(link)
    records = b""
    if len(name) > _NAME_BYTES:
        records += _record(b"path", name)
    if len(target) > _NAME_BYTES:
        records += _record(b"linkpath", target)
    if size > 0o77777777777:
        records += _record(b"size", str(size).encode())
    extended = b""
    if records:
        padding = bytes(-len(records) % _BLOCK)
        extended = (
            _block(b"././@PaxHeader", (0o644, len(records), 0), b"x", b"") + records + padding
        )
    mode = facts.st_mode & 0o777  # SECURITY: never set-uid
    numbers = mode, size, int(facts.st_mtime)
    return extended + _block(name, numbers, kind, target)


def _record(key: bytes, value: bytes) -> bytes:
    """One extended record: its own length in decimal comes first."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _block(name: bytes, numbers: tuple[int, int, int], kind: bytes, link: bytes) -> bytes:
    mode, size, mtime = numbers
    block = bytearray(_BLOCK)

    def put(at: int, value: bytes) -> None:
        block[at : at + len(value)] = value

    put(0, name[:_NAME_BYTES])
    put(100, b"%07o\0" % mode)
    put(108, b"0000000\0" * 2)
    put(124, b"%011o\0" % (size & 0o77777777777))
    put(136, b"%011o\0" % max(0, mtime))
    put(148, b" " * 8)
    put(156, kind)
    put(157, link[:_NAME_BYTES])
    put(257, b"ustar\x0000")
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)
