"""Where a message ends and what its connection is for: plain spellings pass, others do not."""

import pytest

from cleanroom.gateway.http1.heads import (
    NO_BODY,
    Delimiter,
    Framing,
    MalformedError,
    parse_trailers,
)
from tests.gateway.http1.heads import request, response

CHUNKED = Framing(Delimiter.CHUNKED)


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        ([], NO_BODY),
        (["Content-Length: 0"], NO_BODY),
        (["Content-Length:7"], Framing(Delimiter.LENGTH, 7)),
        (["content-length:   7  "], Framing(Delimiter.LENGTH, 7)),
        (["Content-Length: 999999999999999"], Framing(Delimiter.LENGTH, 999_999_999_999_999)),
        (["Transfer-Encoding: chunked"], CHUNKED),
        (["TRANSFER-ENCODING:chunked "], CHUNKED),
    ],
)
def test_a_plain_framing_passes(lines: list[str], framing: Framing) -> None:
    assert request(*lines).framing == framing


AMBIGUOUS = [
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 5"],
    ["Content-Length: 5", "Content-Length: 5"],
    ["Content-Length: 5", "content-length: 6"],
    ["Content-Length: 5, 5"],
    ["Content-Length: +5"],
    ["Content-Length: -5"],
    ["Content-Length: 05"],
    ["Content-Length: 0x5"],
    ["Content-Length: 5_0"],
    ["Content-Length: 5 0"],
    ["Content-Length: 5."],
    ["Content-Length: 5e1"],
    ["Content-Length: \xb2"],
    ["Content-Length:"],
    ["Content-Length: 5\t"],
    ["Content-Length: 1000000000000000"],
    ["Content-Length: " + "9" * 5000],
    ["Transfer-Encoding: gzip, chunked"],
    ["Transfer-Encoding: chunked, gzip"],
    ["Transfer-Encoding: chunked, chunked"],
    ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding: identity"],
    ["Transfer-Encoding: gzip"],
    ["Transfer-Encoding: chunked;q=1"],
    ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding: chunkedx"],
    ['Transfer-Encoding: "chunked"'],
    ["Transfer-Encoding: \tchunked"],
    ["Transfer-Encoding: chunked\t"],
    ["Transfer-Encoding: chunked\x0b"],
    ["Transfer-Encoding: chunked,"],
    ["Transfer-Encoding:"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding : chunked"],
    [" Transfer-Encoding: chunked"],
    ["X: y\r\n Transfer-Encoding: chunked"],
    ["X: y\nTransfer-Encoding: chunked"],
    ["Transfer-Encoding:\r\n chunked"],
    ["Transfer\xadEncoding: chunked"],
]


@pytest.mark.parametrize("lines", AMBIGUOUS)
@pytest.mark.parametrize("read", [request, response])
def test_an_ambiguous_framing_is_refused(lines: list[str], read: type) -> None:
    with pytest.raises(MalformedError):
        read(*lines)


def test_another_case_of_chunked_is_read_from_servers_only() -> None:
    assert response("Transfer-Encoding: Chunked").framing == CHUNKED
    with pytest.raises(MalformedError, match="another than chunked"):
        request("Transfer-Encoding: Chunked")


def test_chunks_do_not_exist_in_the_old_version() -> None:
    with pytest.raises(MalformedError, match=r"in HTTP/1\.0"):
        request("Transfer-Encoding: chunked", first="POST / HTTP/1.0")
    with pytest.raises(MalformedError, match=r"in HTTP/1\.0"):
        response("Transfer-Encoding: chunked", first="HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    ("first", "method"),
    [
        ("HTTP/1.1 200 OK", "HEAD"),
        ("HTTP/1.1 204 No Content", "GET"),
        ("HTTP/1.1 304 Not Modified", "GET"),
    ],
)
def test_some_answers_have_no_body_whatever_they_say(first: str, method: str) -> None:
    for lines in ([], ["Content-Length: 5"], ["Transfer-Encoding: chunked"]):
        found = response(*lines, first=first, method=method)
        assert found.framing == NO_BODY
        assert found.persistent
        assert not found.interim


@pytest.mark.parametrize("first", ["HTTP/1.1 100 Continue", "HTTP/1.1 103 x", "HTTP/1.1 104 x"])
def test_an_interim_answer_says_nothing_of_a_body(first: str) -> None:
    """Readers differ on whether the next answer follows at once."""
    for lines in ([], ["Content-Length: 0"]):
        assert response(*lines, first=first).framing == NO_BODY
        assert response(*lines, first=first).interim
    for line in ("Content-Length: 5", "Transfer-Encoding: chunked"):
        with pytest.raises(MalformedError, match="an interim answer has a body"):
            response(line, first=first)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    found = response()
    assert found.framing == Framing(Delimiter.CLOSE)
    assert not found.persistent


# --- Connection ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "persistent", "upgrades"),
    [
        (["Connection: keep-alive"], True, False),
        (["Connection: Close"], False, False),
        (["Connection: keep-alive, close"], False, False),
        (["Connection: keep-alive", "Connection: close"], False, False),
        (["Connection: TE", "TE: trailers"], True, False),
        (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], True, True),
        (["Connection: upgrade"], True, True),
        (["Upgrade: websocket"], True, True),
        (["Connection:"], True, False),
    ],
)
def test_connection_options(lines: list[str], persistent: bool, upgrades: bool) -> None:  # noqa: FBT001
    found = request(*lines)
    assert (found.persistent, found.upgrades) == (persistent, upgrades)


@pytest.mark.parametrize(
    "option", ["host", "Content-Length", "x-secret", "transfer-encoding", "close, Host", "a\tb"]
)
def test_an_option_that_drops_a_field_is_refused(option: str) -> None:
    with pytest.raises(MalformedError):
        request(f"Connection: {option}")
    if "\t" not in option:
        assert response(f"Connection: {option}", "Content-Length: 0").status == 200


def test_an_answer_can_close() -> None:
    assert not response("Content-Length: 0", "Connection: Close").persistent
    assert not response("Content-Length: 0", first="HTTP/1.0 200 OK").persistent


def test_nothing_follows_a_connect_and_it_has_no_body() -> None:
    assert not request(first="CONNECT a.test:80 HTTP/1.1").persistent
    with pytest.raises(MalformedError, match="has a body"):
        request("Content-Length: 0", first="CONNECT a.test:80 HTTP/1.1")


# --- trailers ------------------------------------------------------------------------------------


def test_trailers_are_fields() -> None:
    assert parse_trailers(b"\r\n") == ()
    assert parse_trailers(b"A: b\r\nC: d\r\n\r\n") == (("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: 5", b"Host: x", b"transfer-encoding: chunked", b" x", b"a\nb: c", b"a\0: b"],
)
def test_a_trailer_that_belongs_into_the_head_or_is_no_field_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_trailers(line + b"\r\n\r\n")
