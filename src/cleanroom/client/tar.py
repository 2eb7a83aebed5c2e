"""Tar archives (POSIX.1-2001 pax) as bytes: read from a hostile sandbox, written by us. Pure.

In: pieces of an archive, cut anywhere. Out: Members with their data; headers. Never: a name that
leads out of its folder, a member of a size that is not there, an archive that was cut taken for
whole, or memory that grows with what the archive says.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, NoReturn

from cleanroom.errors import Code, Fault

BLOCK: Final = 512
MOST_NOTES: Final = 1024 * 1024  # bytes of one extended header
FILE, FOLDER, LINK, OTHER = "file", "folder", "link", "other"
_KINDS: Final = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER, b"2": LINK}
_TYPES: Final = {FILE: b"0", FOLDER: b"5", LINK: b"2"}
END: Final = bytes(2 * BLOCK)
_ASKED: Final = (b"path", b"linkpath", b"size")  # of an extended header


class Member(NamedTuple):
    """One name of an archive: its parts below the archive's folder, none of them `..`."""

    parts: tuple[str, ...]
    kind: str
    size: int = 0
    mode: int = 0o644
    mtime: int = 0
    target: str = ""

    @property
    def path(self) -> str:
        """The whole name."""
        return "/".join(self.parts)


class Source:
    """Bytes that come in pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def some(self, most: int) -> bytes:
        """Return at least one byte and at most so many. Raises Fault at the end."""
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                broken("it ends too early")
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken

    def exactly(self, size: int) -> bytes:
        """Return so many bytes. Raises Fault if there are fewer."""
        got = bytearray()
        while len(got) < size:
            got += self.some(size - len(got))
        return bytes(got)

    def drain(self) -> None:
        """Take what is left."""
        for _ in self._pieces:
            pass


class Archive:
    """An archive being read: `for member in archive`, and for each file its `data`."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._source = Source(pieces)
        self._left = 0  # bytes of the member that were not taken, without its padding
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        notes: dict[str, str] = {}
        while True:
            for _ in self.data():
                pass
            self._source.exactly(self._padding)
            header = self._source.exactly(BLOCK)
            if header == bytes(BLOCK):
                self._source.drain()
                return
            kind, size = _checked(header)
            self._expect(size)
            if kind in (b"x", b"L", b"K"):
                notes |= self._notes(kind, size)
            elif kind == b"g":
                continue  # says nothing of names or sizes that we would believe
            else:
                if "size" in notes:
                    self._expect(_decimal(notes["size"]))
                yield _member(header, kind, self._left, notes)
                notes = {}

    def data(self) -> Iterator[bytes]:
        """Yield what is left of the data of the member that came last."""
        while self._left:
            piece = self._source.some(self._left)
            self._left -= len(piece)
            yield piece

    def _expect(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _notes(self, kind: bytes, size: int) -> dict[str, str]:
        if size > MOST_NOTES:
            broken("a name is too long")
        data = b"".join(self.data())
        if kind != b"x":  # of GNU: the next one's name, or what it links to
            return {"path" if kind == b"L" else "linkpath": _text(data.rstrip(b"\0"))}
        found: dict[str, str] = {}
        begin = 0
        while begin < len(data):
            blank = data.find(b" ", begin, begin + 20)
            end = begin + _decimal(_text(data[begin:blank])) if blank > 0 else begin
            record = data[blank + 1 : end]
            if not record.endswith(b"\n") or b"=" not in record:
                broken("an extended header is none")
            key, _, value = record[:-1].partition(b"=")
            if key in _ASKED:  # the others would only fill memory
                found[_text(key)] = _text(value)
            begin = end
        return found


def header_bytes(member: Member) -> bytes:
    """Return the header of a member: ours, and for every other name or size an extended one."""
    name = member.path + ("/" if member.kind == FOLDER else "")
    long = {"path": name, "linkpath": member.target, "size": str(member.size)}
    notes = b"".join(
        _record(key, value)
        for key, value in long.items()
        if (key == "size" and member.size >= 8**11) or (key != "size" and len(_bytes(value)) > 100)
    )
    first = b""
    if notes:
        padding = bytes(-len(notes) % BLOCK)
        first = _header("x", b"x", len(notes), Member((), FILE)) + notes + padding
    size = 0 if member.size >= 8**11 else member.size
    return first + _header(name, _TYPES[member.kind], size, member)


def _header(name: str, kind: bytes, size: int, member: Member) -> bytes:
    fields = (
        (_bytes(name)[:100], 100),
        (b"%07o" % (member.mode & 0o777), 8),
        (b"0000000", 8),
        (b"0000000", 8),
        (b"%011o" % size, 12),
        (b"%011o" % min(max(member.mtime, 0), 8**11 - 1), 12),
        (b" " * 8, 8),
        (kind, 1),
        (_bytes(member.target)[:100], 100),
        (b"ustar\x0000", 8),
    )
    block = b"".join(value.ljust(width, b"\0") for value, width in fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: str) -> bytes:
    body = b" %s=%s\n" % (key.encode(), _bytes(value))
    size = len(body)
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return b"%d%s" % (size, body)


def _checked(header: bytes) -> tuple[bytes, int]:
    """Return type and size. Raises Fault if the header is none."""
    summed = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _octal(header[148:156]) != summed:
        broken("a header is none")
    return header[156:157], _octal(header[124:136])


def _member(header: bytes, kind: bytes, size: int, notes: dict[str, str]) -> Member:
    name = notes.get("path")
    if name is None:
        prefix = header[345:500] if header[257:263] == b"ustar\0" else b""
        whole = (_until_nul(prefix), _until_nul(header[:100]))
        name = _text(b"/".join(part for part in whole if part))
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or name.startswith("/") or "\0" in name:
        broken(f"{name[:200]!r} leads out of it")
    target = notes.get("linkpath", _text(_until_nul(header[157:257]))) if kind == b"2" else ""
    if "\0" in target:
        broken(f"{name[:200]!r} is a link to nowhere")
    mode, mtime = _octal(header[100:108]) & 0o777, _octal(header[136:148])
    return Member(parts, _KINDS.get(kind, OTHER), size, mode, mtime, target)


def _octal(field: bytes) -> int:
    """Return a number. Raises Fault. (That of GNU in base 256 is not asked for.)"""
    digits = field.strip(b" \0")
    if not all(0x30 <= digit <= 0x37 for digit in digits):
        broken("a number is none")
    return int(digits or b"0", 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        broken("a number is none")
    return int(text)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def broken(why: str) -> NoReturn:
    """Raise the error for an archive that cannot be believed."""
    message = f"cannot read the archive of the sandbox: {why}"
    raise Fault(Code.BACKEND_TRANSPORT_ERROR, message)
