"""One request to a registry's upstream, and its answer in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.artifact import Grant
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.storage import Stored
from cleanroom.gateway.http1.heads import MalformedError
from cleanroom.gateway.layers.exchange import MAX_INTERIM, Exchange, Progress, encode_want
from cleanroom.gateway.source import Answer, Want

WANT = Want("sbx_1", "npm.test", Grant("npm", "metadata", "/left-pad", name="left-pad"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: x\r\nSet-Cookie: a\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


def test_the_request_has_nothing_but_a_fixed_list_of_fields() -> None:
    want = Want(WANT.sandbox_id, WANT.host, WANT.grant, "a/b", "GET", "bytes=0-1", '"tag"')
    assert encode_want(want).split(b"\r\n") == [
        b"GET /left-pad HTTP/1.1",
        b"Host: npm.test",
        b"User-Agent: cleanroom",
        b"Accept-Encoding: identity",
        b"Accept: a/b",
        b'If-None-Match: "tag"',
        b"",
        b"",
    ]


def test_credentials_are_further_fields() -> None:
    sent = encode_want(WANT, [b"authorization: Bearer \xff"])
    assert sent == encode_want(WANT)[:-2] + b"authorization: Bearer \xff\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nX: y", "\u00e9", "x" * 2000, "\0"])
def test_a_value_that_is_no_plain_text_is_left_out(value: str) -> None:
    sent = encode_want(Want("s", "npm.test", WANT.grant, value, "GET", "", value))
    assert sent == encode_want(WANT)
    assert b"Accept: */*\r\n" in sent


def test_storage_is_asked_for_what_was_signed_and_told_nothing_else() -> None:
    grant = Grant("npm", "artifact", "/x/-/x-1.tgz", name="x", version="1")
    stored = Stored("s3.example", 9000, "/b/%41?sig=a%2Fb")
    mirrors = {"npm.test": Mirror("npm.test", "https://m.test/npm")}
    want = Want("s", "npm.test", grant, "a/b", if_none_match="x", mirrors=mirrors, stored=stored)
    assert encode_want(want).split(b"\r\n") == [
        b"GET /b/%41?sig=a%2Fb HTTP/1.1",
        b"Host: s3.example:9000",
        b"User-Agent: cleanroom",
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"",
        b"",
    ]


def read(exchange: Exchange, data: bytes, cut: int) -> list[Progress]:
    return [exchange.feed(data[at : at + cut]) for at in range(0, len(data), cut)]


@given(st.sampled_from([OK, CHUNKED]), st.integers(1, 200))
def test_an_answer_is_read_in_any_pieces(data: bytes, cut: int) -> None:
    exchange = Exchange("GET")
    steps = read(exchange, data, cut)
    (answer,) = [step.answer for step in steps if step.answer]
    assert answer.length == (5 if data is OK else None)
    assert answer.fields == ((("etag", "x"),) if data is OK else ())
    assert b"".join(piece for step in steps for piece in step.payload) == b"hello"
    assert [step.is_done for step in steps].count(True) == 1
    assert exchange.is_reusable
    assert exchange.end(is_torn=True)


@pytest.mark.parametrize(
    ("method", "data", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 7),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", 0),
        ("GET", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 0),
    ],
)
def test_an_answer_without_a_body_ends_at_once(
    method: str, data: bytes, length: int | None
) -> None:
    exchange = Exchange(method)
    progress = exchange.feed(data)
    assert progress.is_done
    assert progress.answer is not None
    assert progress.answer.length == length
    assert progress.payload == ()


@pytest.mark.parametrize(("torn", "whole"), [(True, False), (False, True)])
def test_an_answer_that_ends_with_its_connection_is_whole_if_that_was_said(
    torn: bool,  # noqa: FBT001
    whole: bool,  # noqa: FBT001
) -> None:
    exchange = Exchange("GET")
    assert exchange.feed(b"HTTP/1.1 200 OK\r\n\r\nhalf").payload == (b"half",)
    assert exchange.end(is_torn=torn) is whole
    assert not exchange.is_reusable


def test_an_answer_that_is_cut_is_not_whole() -> None:
    for data in (OK[:-1], CHUNKED[:-1], OK[:20]):
        exchange = Exchange("GET")
        exchange.feed(data)
        assert not exchange.end(is_torn=False)


@pytest.mark.parametrize(
    "data",
    [
        OK + b"x",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\nhello" + OK,
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"SSH-2.0-x\r\n",
    ],
)
def test_an_answer_that_is_in_doubt_is_refused(data: bytes) -> None:
    exchange = Exchange("GET")
    with pytest.raises(MalformedError):
        exchange.feed(data)


@given(st.binary(max_size=200), st.integers(0, 80))
def test_any_bytes_are_read_or_refused(odd: bytes, place: int) -> None:
    exchange = Exchange("GET")
    try:
        exchange.feed(OK[:place] + odd)
    except MalformedError:
        return
    assert exchange.end(is_torn=True) in (True, False)


def test_a_field_is_found_by_its_name() -> None:
    assert Answer(200, (("etag", "x"),), 0).field("etag") == "x"


def test_a_git_host_is_asked_by_the_body_that_was_granted() -> None:
    grant = Grant("git", "artifact", "/a/git-upload-pack", body=b"0000", protocol="version=2")
    head, _, body = encode_want(Want("s", "git.test", grant, method="POST")).partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    assert first == b"POST /a/git-upload-pack HTTP/1.1"
    assert fields[-3:] == [
        b"Git-Protocol: version=2",
        b"Content-Type: application/x-git-upload-pack-request",
        b"Content-Length: 4",
    ]
    assert body == b"0000"
