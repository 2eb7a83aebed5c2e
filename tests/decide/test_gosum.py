"""Digests that Go's own command gave (`go mod download -json`), and zip files it would not make."""

import base64
import contextlib
import hashlib
import io
import struct
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide import gosum
from cleanroom.decide.gosum import ZipError, digest_of_mod, digest_of_zip

_BY_GO = base64.b64decode(
    "UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAbAAAAei5leGFtcGxlL0xpYkB2MS4wLjAvZ28ubW9kys1PKc1JVajSS61I"
    "zC3ISdX3yUziAgQAAP//UEsHCEh53JcbAAAAFQAAAFBLAwQUAAgICAAAAAAAAAAAAAAAAAAAAAAAGgAAAHouZXhhbXBs"
    "ZS9MaWJAdjEuMC4wL8OpLmdvKkhMzk5MT1XwyUziAgQAAP//UEsHCNs6UcASAAAADAAAAFBLAwQUAAgACAAAAAAAAAAA"
    "AAAAAAAAAAAAHAAAAHouZXhhbXBsZS9MaWJAdjEuMC4wL2EvZW1wdHkBAAD//1BLBwgAAAAABQAAAAAAAABQSwECFAAU"
    "AAgACAAAAAAASHnclxsAAAAVAAAAGwAAAAAAAAAAAAAAAAAAAAAAei5leGFtcGxlL0xpYkB2MS4wLjAvZ28ubW9kUEsB"
    "AhQAFAAICAgAAAAAANs6UcASAAAADAAAABoAAAAAAAAAAAAAAAAAZAAAAHouZXhhbXBsZS9MaWJAdjEuMC4wL8OpLmdv"
    "UEsBAhQAFAAIAAgAAAAAAAAAAAAFAAAAAAAAABwAAAAAAAAAAAAAAAAAvgAAAHouZXhhbXBsZS9MaWJAdjEuMC4wL2Ev"
    "ZW1wdHlQSwUGAAAAAAMAAwDbAAAADQEAAAAA"
)
_MOD = b"module z.example/Lib\n"
_LIST_AT = 0x10D  # of _BY_GO


def _digest(data: bytes) -> str:
    turns = digest_of_zip(lambda at, size: data[at : at + size], len(data))
    while True:
        try:
            next(turns)
        except StopIteration as end:
            return str(end.value)


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return made.getvalue()


def _plainly(files: dict[str, bytes]) -> str:
    """The definition, written down once more."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    lines.sort(key=lambda line: line[66:].encode())
    listed = hashlib.sha256("".join(lines).encode()).digest()
    return f"h1:{base64.b64encode(listed).decode()}"


def _changed(at: int, *changes: bytes) -> bytes:
    data = bytearray(_BY_GO)
    for change in changes:
        data[at : at + len(change)] = change
    return bytes(data)


def test_the_digest_is_the_one_that_go_computes() -> None:
    assert _digest(_BY_GO) == "h1:F3wlQK8wJj5y9YnxccLUI2FtfsZShf0aMUWBTYyX0dI="
    sha256 = hashlib.sha256(_MOD).hexdigest()
    assert digest_of_mod(sha256) == "h1:gT9IBkG5BFaCm0stcMRNvOlZV0kGGgmmVrqhcz9OdUg="


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), min_size=1, max_size=9),
        st.binary(max_size=90),
        max_size=6,
    ),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_whatever_is_inside_in_whatever_order(files: dict[str, bytes], method: int) -> None:
    assert _digest(_zip(files, method)) == _plainly(files)


def test_large_files_are_read_in_pieces_and_others_have_their_turn() -> None:
    files = {"a/z": b"a" * 3_000_000, "a/b": bytes(range(256)) * 6000, "a/c": b""}
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        data = _zip(files, method)
        asked: list[int] = []

        def read(at: int, size: int, data: bytes = data, asked: list[int] = asked) -> bytes:
            asked.append(size)
            return data[at : at + size]

        turns = digest_of_zip(read, len(data))
        assert sum(1 for _ in turns) > len(b"".join(files.values())) // (512 * 1024)
        assert max(asked) <= 256 * 1024
        assert _digest(data) == _plainly(files)


def test_many_small_files_are_not_one_turn_either() -> None:
    data = _zip({f"a/{number}": b"" for number in range(1000)}, zipfile.ZIP_STORED)
    assert sum(1 for _ in digest_of_zip(lambda at, size: data[at : at + size], len(data))) > 20


def test_what_is_left_in_the_decompressor_counts() -> None:
    files = {"a": b"\0" * 262_165, "b": b""}
    assert _digest(_zip(files)) == _plainly(files)


_END_AT = len(_BY_GO) - 22


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is too short"),
        (b"<html>" * 9, "it does not end as a module's zip file ends"),
        (_BY_GO + b"!", "it does not end as a module's zip file ends"),
        (_changed(_END_AT + 4, b"\1"), "it does not end as a module's zip file ends"),
        (_changed(_END_AT + 8, b"\2"), "it does not end as a module's zip file ends"),
        (_changed(_END_AT + 8, b"\xff\xff\xff\xff"), "it does not end as a module's zip file ends"),
        (_changed(_END_AT + 20, b"\1"), "it does not end as a module's zip file ends"),
        (b"#!/bin/sh\n" + _BY_GO, "its list of files is not at its end"),
        (_changed(_END_AT + 8, b"\4\0\4\0"), "its list of files is too short"),
        (_changed(_END_AT + 8, b"\2\0\2\0"), "its list of files is too long"),
        (_changed(_LIST_AT, b"XX"), "one of its files is kept in a way that Go does not write"),
        (_changed(_LIST_AT + 8, b"\1"), "one of its files is kept in a way that Go does not write"),
        (
            _changed(_LIST_AT + 10, b"\x0c"),
            "one of its files is kept in a way that Go does not write",
        ),
        (_changed(_LIST_AT + 46, b"\n"), "one of its files has no usable name"),
        (_changed(_LIST_AT + 20, struct.pack("<L", 500 * 2**20 + 1)), "two of its files overlap"),
        (_changed(_LIST_AT + 24, struct.pack("<L", 500 * 2**20 + 1)), "its files have more than"),
        (_changed(_LIST_AT + 24, b"\x16"), "one of its files is shorter than it says"),
        (_changed(_LIST_AT + 24, b"\x14"), "one of its files is longer than it says"),
        (_changed(_LIST_AT + 20, b"\x1a"), "one of its files is cut"),
        (_changed(_LIST_AT + 20, b"\x1c"), "one of its files has something behind its end"),
        (
            _changed(_LIST_AT + 20, b"\2"),
            "two of its files overlap, or something lies between them",
        ),
        (_changed(_LIST_AT + 42, b"\1"), "something stands before its first file"),
        (_changed(_LIST_AT + 46, b"y"), "one of its files has two names"),
        (_changed(0, b"XX"), "one of its files has two names"),
        (_changed(26, b"\x1a"), "one of its files has two names"),
        (_changed(28, b"\x40"), "two of its files overlap, or something lies between them"),
        (_changed(0x39, b"\xff\xff"), "one of its files cannot be unpacked"),
        (_changed(_END_AT - 76 + 42 + 2, b"\xff"), "two of its files overlap"),
    ],
)
def test_a_zip_file_that_go_would_not_make_has_no_digest(data: bytes, why: str) -> None:
    with pytest.raises(ZipError, match=f"^{why}"):
        _digest(data)


def test_two_files_of_one_name_have_no_digest() -> None:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as opened:
        warnings.simplefilter("ignore")
        opened.writestr("a", b"one")
        opened.writestr("a", b"two")
    with pytest.raises(ZipError, match="two of its files have one name"):
        _digest(made.getvalue())


def test_a_list_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gosum, "_MAX_LIST", 100)
    with pytest.raises(ZipError, match="its list of files is too long"):
        _digest(_BY_GO)


def test_a_file_that_is_larger_than_it_says_is_left_at_once() -> None:
    """One that unpacks to a thousand times its size, and says that it is small."""
    data = bytearray(_zip({"a": b"\0" * 50_000_000}))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    turns = digest_of_zip(lambda at, size: bytes(data[at : at + size]), len(data))
    next(turns)  # the list of files
    with pytest.raises(ZipError, match="longer than it says"):
        next(turns)


@given(st.integers(0, len(_BY_GO) - 1), st.binary(min_size=1, max_size=4))
def test_nothing_else_is_raised(at: int, change: bytes) -> None:
    with contextlib.suppress(ZipError):
        _digest(_changed(at, change))
