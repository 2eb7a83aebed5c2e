import gzip

import pytest

from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.upload import MAX_UPLOAD, Upload, UploadError


def upload(*fields: str) -> Upload:
    lines = ["POST /a/git-upload-pack HTTP/1.1", "Host: git.test", *fields, "", ""]
    return Upload(parse_request("\r\n".join(lines).encode()))


@pytest.mark.parametrize("cut", [1, 3, 100])
@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        (("Content-Length: 5",), b"hello"),
        (("Transfer-Encoding: chunked",), b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (("Content-Encoding: gzip", "Content-Length: 25"), gzip.compress(b"hello", mtime=0)),
    ],
)
def test_a_body_is_collected_from_any_pieces(
    fields: tuple[str, ...], wire: bytes, cut: int
) -> None:
    made, rest = upload(*fields), b""
    for at in range(0, len(wire), cut):
        assert not made.is_whole
        rest = made.read(wire[at : at + cut])
    assert made.is_whole
    assert rest == b""
    assert made.take() == b"hello"


def test_what_follows_the_body_is_returned() -> None:
    made = upload("Content-Length: 2")
    assert made.read(b"heGET /") == b"GET /"
    none = upload()
    assert (none.is_whole, none.read(b"GET /"), none.take()) == (True, b"GET /", b"")


def test_a_body_has_a_bound_on_the_wire_and_unpacked() -> None:
    with pytest.raises(UploadError, match="longer than"):
        upload(f"Content-Length: {MAX_UPLOAD + 1}").read(bytes(MAX_UPLOAD + 1))
    bomb = gzip.compress(bytes(MAX_UPLOAD + 1))
    made = upload("Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    made.read(bomb)
    with pytest.raises(UploadError, match="longer than"):
        made.take()
    fits = gzip.compress(bytes(MAX_UPLOAD))
    made = upload("Content-Encoding: x-gzip", f"Content-Length: {len(fits)}")
    made.read(fits)
    assert len(made.take()) == MAX_UPLOAD


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("gzip", b"hello"),
        ("gzip", gzip.compress(b"hello")[:-1]),
        ("gzip", gzip.compress(b"hello") + b"x"),
        ("gzip", gzip.compress(b"hello") * 2),
    ],
)
def test_what_cannot_be_unpacked_is_refused(encoding: str, data: bytes) -> None:
    made = upload(f"Content-Encoding: {encoding}", f"Content-Length: {len(data)}")
    made.read(data)
    with pytest.raises(UploadError, match="packed"):
        made.take()
