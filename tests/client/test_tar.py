"""Archives: read as others write them, written as others read them, and never believed."""

import io
import tarfile
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.client.tar import BLOCK, END, FILE, FOLDER, LINK, Archive, Member, header_bytes
from cleanroom.errors import Fault

LONG = "/".join(["a-long-folder-name" * 3] * 8)


def made(*entries: tuple[str, bytes, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return an archive as another program writes it: name, type, data or target."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = kind, 0o6755, 7
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                entry.linkname = content.decode()
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut it."""
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 4096) -> list[tuple[Member, bytes]]:
    """Return everything an archive holds."""
    archive = Archive(in_pieces(data, size))
    return [(member, b"".join(archive.data())) for member in archive]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("size", [1, 511, 512, 100_000])
def test_what_others_write_is_read(form: int, size: int) -> None:
    name = LONG if form != tarfile.USTAR_FORMAT else "f" * 60 + "/" + "g" * 90
    data = made(
        ("d/", tarfile.DIRTYPE, b""),
        (f"d/{name}", tarfile.REGTYPE, b"x" * 1000),
        ("d/l", tarfile.SYMTYPE, b"t" * 80),
        ("d/p", tarfile.FIFOTYPE, b""),
        ("last", tarfile.REGTYPE, b""),
        form=form,
    )
    found = read(data, size)
    assert [(member.path, member.kind) for member, _ in found] == [
        ("d", FOLDER),
        (f"d/{name}", FILE),
        ("d/l", LINK),
        ("d/p", "other"),
        ("last", FILE),
    ]
    assert found[1] == (Member(("d", *name.split("/")), FILE, 1000, 0o755, 7), b"x" * 1000)
    assert found[2][0].target == "t" * 80


def test_what_is_not_taken_is_passed_over() -> None:
    data = made(("a", tarfile.REGTYPE, b"x" * 9999), ("b", tarfile.REGTYPE, b"yy"))
    archive = Archive([data])
    assert [member.path for member in archive] == ["a", "b"]


@pytest.mark.parametrize(
    "member",
    [
        Member(("d",), FOLDER, 0, 0o755, 5),
        Member(("d", "f"), FILE, 3, 0o600, 1_700_000_000),
        Member(tuple(LONG.split("/")), FILE, 3, 0o644, 0),
        Member(("l",), LINK, 0, 0o777, 0, "t" * 300),
        Member(("\udcff", "ü" * 80), FILE, 3, 0o644, 9),
    ],
    ids=lambda member: member.kind + str(len(member.path)),
)
def test_what_we_write_others_read(member: Member) -> None:
    content = b"abc"[: member.size]
    data = header_bytes(member) + content + bytes(-len(content) % BLOCK) + END
    assert read(data) == [(member, content)]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (entry,) = archive.getmembers()
    assert entry.name == member.path
    assert (entry.mode, entry.mtime, entry.linkname) == (member.mode, member.mtime, member.target)


def test_a_size_beyond_eight_gib_is_written_and_read() -> None:
    member = Member(("big",), FILE, 8**11 + 5, 0o644, 0)
    archive = Archive([header_bytes(member)])
    assert next(iter(archive)) == member


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a/.."])
def test_a_name_that_leads_out_ends_it(name: str) -> None:
    with pytest.raises(Fault, match="leads out"):
        read(made((name, tarfile.REGTYPE, b"")))


def test_an_archive_that_was_cut_is_never_whole() -> None:
    data = made(("a", tarfile.REGTYPE, b"x" * 600))
    for end in (0, 100, 512, 600, 1200, 1536):
        with pytest.raises(Fault, match="too early"):
            read(data[:end])


@pytest.mark.parametrize(
    "notes", [b"9 path=ab\n", b"x path=a\n", b"6 path\n", b"99999999999999999999 path=a\n"]
)
def test_an_extended_header_that_is_none_ends_it(notes: bytes) -> None:
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, len(notes)
    block = head.tobuf(tarfile.USTAR_FORMAT) + notes.ljust(BLOCK, b"\0")
    with pytest.raises(Fault):
        read(block + made(("a", tarfile.REGTYPE, b"")))


def test_a_name_without_a_bound_ends_it() -> None:
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 2_000_000
    with pytest.raises(Fault, match="too long"):
        read(head.tobuf(tarfile.USTAR_FORMAT) + bytes(3_000_000))


def test_global_notes_are_not_believed() -> None:
    notes = b"19 path=/etc/passwd\n"
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XGLTYPE, len(notes)
    block = head.tobuf(tarfile.USTAR_FORMAT) + notes.ljust(BLOCK, b"\0")
    ((member, _),) = read(block + made(("a", tarfile.REGTYPE, b"")))
    assert member.path == "a"


@given(st.binary(max_size=3000), st.integers(0, 2500))
def test_any_bytes_are_an_archive_or_its_error(noise: bytes, at: int) -> None:
    good = made(("a", tarfile.REGTYPE, b"x" * 600), ("b", tarfile.SYMTYPE, b"a"))
    for data in (noise, good[:at] + noise + good[at + len(noise) :]):
        try:
            found = read(data)
        except Fault:
            continue
        assert all(".." not in member.parts for member, _ in found)


def extended(notes: bytes) -> bytes:
    """Return an extended header of these notes."""
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, len(notes)
    return head.tobuf(tarfile.USTAR_FORMAT) + notes + bytes(-len(notes) % BLOCK)


def test_notes_that_nobody_asked_for_fill_no_memory() -> None:
    """Any number of headers may stand before one member, each with names of its own."""

    def pieces() -> Iterator[bytes]:
        for turn in range(8):
            lines = (b"18 note%02d-%05d=\n\n" % (turn, each) for each in range(20_000))
            yield extended(b"".join(lines))
        yield extended(b"19 linkpath=abcdef\n")
        yield made(("l", tarfile.SYMTYPE, b"a"))

    tracemalloc.start()
    try:
        (member,) = Archive(pieces())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert member.target == "abcdef"
    assert most < 8 << 20


def test_a_link_to_a_name_with_a_nul_ends_it() -> None:
    with pytest.raises(Fault, match="link to nowhere"):
        read(extended(b"16 linkpath=a\0b\n") + made(("l", tarfile.SYMTYPE, b"a")))
