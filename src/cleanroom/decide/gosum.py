"""Go's own digest of a module, "h1:": the SHA-256 of a list of the files inside, each with its own.

In: the SHA-256 of a go.mod; a zip file, read where it is needed. Out: the digest. Never: a zip file
that two readers could read differently, or one that holds more than Go itself would take.

A zip file is read as Go's own tools write it: the list of files at its very end, nothing before the
first file, no room for another one between two, each name once.
"""

import binascii
import hashlib
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

MAX_INSIDE: Final = 500 * 1024 * 1024  # bytes, Go's own limit for a module
_MAX_LIST: Final = 32 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_TURN: Final = 256 * 1024  # bytes hashed before others have their turn
_EACH: Final = 4096  # as many bytes is the work of one file, however small
_END: Final = struct.Struct("<4s4H2LH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTOR: Final = 24  # bytes that may follow a file's data
_ENCRYPTED: Final = 0x1
_STORED: Final = 0
_METHODS: Final = (_STORED, 8)  # as it is, or deflated
_OVERLAP: Final = "two of its files overlap, or something lies between them"

Read = Callable[[int, int], bytes]  # position, size


class ZipError(Exception):
    """The zip file is none that Go would make. The text says why."""


@dataclass(frozen=True, slots=True)
class _File:
    name: bytes
    method: int
    packed: int
    size: int
    offset: int


def digest_of_mod(sha256: str) -> str:
    """Return the digest of a go.mod, by the SHA-256 of its bytes in hexadecimal."""
    return _digest({b"go.mod": sha256})


def digest_of_zip(read: Read, size: int) -> Generator[None, None, str]:
    """Return the digest of a module's zip file, a turn at a time. Raises ZipError."""
    files, end = yield from _list(read, size)
    limits = [*(each.offset for each in files), end][1:]
    found: dict[bytes, str] = {}
    work = 0
    for each, limit in zip(files, limits, strict=True):
        begin = _data_of(read, each, limit)
        sha256, length = hashlib.sha256(), 0
        for chunk in _content(read, begin, each):
            sha256.update(chunk)
            length += len(chunk)
            _need(length <= each.size, "one of its files is longer than it says")
            if (work := work + len(chunk)) >= _TURN:
                work = 0
                yield
        _need(length == each.size, "one of its files is shorter than it says")
        found[each.name] = sha256.hexdigest()
        if (work := work + _EACH) >= _TURN:
            work = 0
            yield
    return _digest(found)


def _digest(files: dict[bytes, str]) -> str:
    """What Go calls Hash1: the names in the order of their bytes."""
    lines = b"".join(b"%b  %b\n" % (files[name].encode(), name) for name in sorted(files))
    return f"h1:{binascii.b2a_base64(hashlib.sha256(lines).digest(), newline=False).decode()}"


def _need(holds: bool, why: str) -> None:  # noqa: FBT001 -- a condition, as in `assert`
    if not holds:
        raise ZipError(why)


# --- the list of files -----------------------------------------------------------------------


def _list(read: Read, size: int) -> Generator[None, None, tuple[list[_File], int]]:
    """Return the files in the order of their data, and where the list of files begins."""
    tail = read(max(0, size - _END.size), _END.size)
    _need(len(tail) == _END.size, "it is too short")
    sign, disk, first, here, count, length, begin, comment = _END.unpack(tail)
    is_plain = sign == b"PK\x05\x06" and not (disk or first or comment) and here == count < 0xFFFF
    _need(is_plain, "it does not end as a module's zip file ends")
    _need(begin + length == size - _END.size, "its list of files is not at its end")
    _need(length <= _MAX_LIST, "its list of files is too long")
    files = yield from _entries(read(begin, length), count)
    inside = sum(each.size for each in files)
    _need(inside <= MAX_INSIDE, f"its files have more than {MAX_INSIDE} bytes")
    files.sort(key=lambda each: each.offset)
    _need((files[0].offset if files else begin) == 0, "something stands before its first file")
    return files, begin


def _entries(data: bytes, count: int) -> Generator[None, None, list[_File]]:
    files: dict[bytes, _File] = {}
    at = 0
    for number in range(count):
        if number % (_TURN // _EACH) == 0:
            yield
        _need(len(data) - at >= _ENTRY.size, "its list of files is too short")
        found = _ENTRY.unpack_from(data, at)
        sign, flags, method, packed, size, named = *found[:1], *found[3:5], *found[8:11]
        name = data[at + _ENTRY.size : at + _ENTRY.size + named]
        at += _ENTRY.size + sum(found[10:13])  # its name, extra fields and comment
        is_plain = sign == b"PK\x01\x02" and not flags & _ENCRYPTED and method in _METHODS
        _need(is_plain, "one of its files is kept in a way that Go does not write")
        _need(len(name) == named > 0 and b"\n" not in name, "one of its files has no usable name")
        _need(name not in files, "two of its files have one name")
        files[name] = _File(name, method, packed, size, found[16])
    _need(at == len(data), "its list of files is too long")
    return list(files.values())


# --- one file --------------------------------------------------------------------------------


def _data_of(read: Read, file: _File, limit: int) -> int:
    """Return where a file's data begins; it must end where the next file begins, `limit`."""
    whole = _LOCAL.size + len(file.name)
    _need(file.offset + whole <= limit, _OVERLAP)
    head = read(file.offset, whole)
    sign, *_, named, extra = _LOCAL.unpack_from(head)
    is_it = sign == b"PK\x03\x04" and named == len(file.name) and head[_LOCAL.size :] == file.name
    _need(is_it, "one of its files has two names")
    begin = int(file.offset + whole + extra)
    _need(0 <= limit - begin - file.packed <= _DESCRIPTOR, _OVERLAP)
    return begin


def _content(read: Read, begin: int, file: _File) -> Iterator[bytes]:
    end = begin + file.packed
    packed = (read(at, min(_CHUNK, end - at)) for at in range(begin, end, _CHUNK))
    return packed if file.method == _STORED else _unpacked(packed)


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for data in packed:
            rest = data
            while rest:
                _need(not unpack.eof, "one of its files has something behind its end")
                yield unpack.decompress(rest, _CHUNK)
                rest = unpack.unconsumed_tail or unpack.unused_data
        while not unpack.eof:
            chunk = unpack.decompress(b"", _CHUNK)
            _need(bool(chunk) or unpack.eof, "one of its files is cut")
            yield chunk
    except zlib.error as error:
        message = "one of its files cannot be unpacked"
        raise ZipError(message) from error
