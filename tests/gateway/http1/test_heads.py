"""Heads: one reading or none. Each refused spelling has a neighbour that is accepted."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.http1.heads import (
    MAX_FIELDS,
    MAX_HEAD,
    NO_BODY,
    Delimiter,
    Framing,
    HeadReader,
    MalformedError,
    RequestHead,
    ResponseHead,
    parse_request,
    parse_response,
    parse_trailers,
)

CHUNKED = Framing(Delimiter.CHUNKED)


def request(
    *lines: str, first: str = "POST /a HTTP/1.1", host: str = "Host: a.test"
) -> RequestHead:
    fields = [host, *lines] if host else [*lines]
    return parse_request("\r\n".join([first, *fields, "", ""]).encode("latin-1"))


def response(*lines: str, first: str = "HTTP/1.1 200 OK", method: str = "GET") -> ResponseHead:
    return parse_response("\r\n".join([first, *lines, "", ""]).encode("latin-1"), method)


def test_a_request_is_read() -> None:
    assert request(
        "Accept: */*", "X-Empty:", "Content-Length: 5", first="POST /a?b=c HTTP/1.1"
    ) == RequestHead(
        method="POST",
        target="/a?b=c",
        minor=1,
        fields=(
            ("host", "a.test"),
            ("accept", "*/*"),
            ("x-empty", ""),
            ("content-length", "5"),
        ),
        host="a.test",
        framing=Framing(Delimiter.LENGTH, 5),
        persistent=True,
        upgrades=False,
    )


def test_a_response_is_read() -> None:
    assert response("Content-Length: 5", "X: \xe4\tb ") == ResponseHead(
        status=200,
        minor=1,
        fields=(("content-length", "5"), ("x", "\xe4\tb")),
        framing=Framing(Delimiter.LENGTH, 5),
        persistent=True,
    )


# --- the first line ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        "GET / HTTP/1.1",
        "PROPFIND /a HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        'GET /%00?a=|\\^{}"<>`[] HTTP/1.1',
        "GET //a HTTP/1.1",
        "get / HTTP/1.1",
        "CONNECT a.test:443 HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1",
    ],
)
def test_a_request_line_passes(first: str) -> None:
    found = request(first=first)
    assert f"{found.method} {found.target} HTTP/1.1" == first


@pytest.mark.parametrize(
    "first",
    [
        "GET / HTTP/2.0",
        "PRI * HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET /",
        "GET",
        "",
        "GET /\xe4 HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a\tb HTTP/1.1",
        "GET a HTTP/1.1",
        "GET ?a HTTP/1.1",
        "GET \\a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http://a.test/ HTTP/1.1",
        "GET http://evil.test/ HTTP/1.1",
        "GET https://a.test/ HTTP/1.1",
        "GET a.test:80 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT http://a.test/ HTTP/1.1",
        "CONNECT user@a.test:443 HTTP/1.1",
        "G@T / HTTP/1.1",
        f"{'G' * 33} / HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET / HTTP/1.1\rX: y",
    ],
)
def test_any_other_request_line_is_refused(first: str) -> None:
    with pytest.raises(MalformedError):
        request(first=first)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 200 ", 200),
        ("HTTP/1.1 200", 200),
        ("HTTP/1.0 404 Not Found at all: \xe4", 404),
        ("HTTP/1.1 599 x", 599),
    ],
)
def test_a_status_line_passes(first: str, status: int) -> None:
    assert response(first=first).status == status


@pytest.mark.parametrize(
    "first",
    [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/2 200",
        "HTTP/2.0 200 OK",
        "ICY 200 OK",
        "HTTP/1.1 200\0",
        "HTTP/1.1 200 O\rK",
        " HTTP/1.1 200 OK",
    ],
)
def test_any_other_status_line_is_refused(first: str) -> None:
    with pytest.raises(MalformedError):
        response(first=first)


# --- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        " folded",
        "\tfolded",
        "X : y",
        "X\t: y",
        ": y",
        "no colon",
        "X\xe4: y",
        "X Y: z",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x7fb",
        "X: a\rb",
        "X: a\nb",
        "X: a\n\rb",
        "X: a\x0bb",
        "(X): y",
        '"X": y',
    ],
)
@pytest.mark.parametrize("read", [request, response])
def test_a_line_that_is_no_field_is_refused(line: str, read: type) -> None:
    with pytest.raises(MalformedError):
        read("A: b", line)


def test_many_fields_pass_and_more_do_not() -> None:
    assert len(request(*["X: y"] * (MAX_FIELDS - 1)).fields) == MAX_FIELDS
    with pytest.raises(MalformedError, match="more than 128"):
        request(*["X: y"] * MAX_FIELDS)


@pytest.mark.parametrize(
    "line", ["Content_Length: 5", "transfer_encoding: chunked", "Host_: x", "X_Y: z", "HOST: b"]
)
def test_a_framing_field_in_disguise_is_refused(line: str) -> None:
    if line in ("Host_: x", "X_Y: z"):
        assert request(line).framing == NO_BODY  # not another spelling of anything
    else:
        with pytest.raises(MalformedError):
            request(line)


# --- Host ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["a.test", "a.test:80", "A.TEST.", "192.0.2.1:8080", "[2001:db8::1]", "[::1]:80", "a_b"]
)
def test_a_host_passes(host: str) -> None:
    assert request(host=f"Host: {host}").host == host
    assert request(host=f"hOsT:{host}  ").host == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a.test, b.test",
        "a.test b.test",
        "a.test:",
        "a.test:x",
        "a.test:+80",
        "a.test:8 0",
        "a.test:123456",
        "a.test:80:80",
        "user@a.test",
        "http://a.test",
        "a.test/",
        "a.test?",
        "a.test#",
        "a\\test",
        "a%00.test",
        "a.test\t",
        "\ta.test",
        "\xe4.test",
        "[::1",
        "::1",
        "[::1%lo]",
        "[a.test]",
        "a.test\x00",
        "x" * 256,
    ],
)
def test_a_host_that_is_no_plain_name_is_refused(host: str) -> None:
    with pytest.raises(MalformedError):
        request(host=f"Host: {host}")


def test_a_host_is_there_once() -> None:
    with pytest.raises(MalformedError, match="comes twice"):
        request("Host: a.test")
    with pytest.raises(MalformedError, match="comes twice"):
        request("host: b.test")
    with pytest.raises(MalformedError, match="no Host"):
        request(host="")


def test_an_old_request_needs_no_host() -> None:
    found = request(first="GET / HTTP/1.0", host="")
    assert (found.host, found.minor, found.persistent) == ("", 0, False)


# --- framing -------------------------------------------------------------------------------------


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
        ("HTTP/1.1 100 Continue", "POST"),
        ("HTTP/1.1 103 Early Hints", "GET"),
    ],
)
def test_some_answers_have_no_body_whatever_they_say(first: str, method: str) -> None:
    for lines in ([], ["Content-Length: 5"], ["Transfer-Encoding: chunked"]):
        found = response(*lines, first=first, method=method)
        assert found.framing == NO_BODY
        assert found.persistent
        assert found.interim == (found.status < 200)


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


# --- pieces --------------------------------------------------------------------------------------


def read_slowly(stream: bytes, step: int) -> None:
    reader = HeadReader(responses=False)
    for start in range(0, len(stream), step):
        reader.read(stream[start : start + step])


HEAD = b"GET /a HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n"


@given(st.lists(st.integers(0, 2 * len(HEAD)), max_size=6))
def test_pieces_make_the_same_heads(cuts: list[int]) -> None:
    stream = HEAD + HEAD
    places = sorted({0, len(stream), *cuts})
    reader = HeadReader(responses=False)
    heads = []
    for start, end in pairwise(places):
        piece, at = stream[start:end], 0
        while at < len(piece):
            head, at = reader.read(piece, at)
            if head is not None:
                heads.append(head)
    assert heads == [HEAD, HEAD]
    assert reader.is_empty


def test_a_head_ends_where_its_piece_goes_on() -> None:
    reader = HeadReader(responses=False)
    assert reader.read(b"xx" + HEAD + b"body", 2) == (HEAD, 2 + len(HEAD))
    assert reader.read(HEAD[:-1]) == (None, len(HEAD) - 1)
    assert not reader.is_empty
    assert reader.read(b"\nbody") == (HEAD, 1)


@pytest.mark.parametrize(
    "begin",
    [
        b"\r\n",
        b"\n",
        b" ",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: a\n\n",
        b"GET / HTTP/1.1\rX",
        b"\0",
        b"G" * 33,
        b"\xff\xff",
    ],
)
def test_what_cannot_become_a_request_is_refused_before_it_ends(begin: bytes) -> None:
    with pytest.raises(MalformedError):
        HeadReader(responses=False).read(begin)
    with pytest.raises(MalformedError):
        read_slowly(begin, 1)


@pytest.mark.parametrize("begin", [b"SSH-2.0", b"\0", b"HTTP/2 ", b"\r\n", b"HTTP/1.1 200\nX"])
def test_what_cannot_become_an_answer_is_refused_before_it_ends(begin: bytes) -> None:
    with pytest.raises(MalformedError):
        HeadReader(responses=True).read(begin)


def test_the_beginning_of_an_answer_is_waited_for() -> None:
    reader = HeadReader(responses=True)
    for byte in b"HTTP/1.1 200 OK\r\nX: y\r\n\r":
        assert reader.read(bytes([byte]))[0] is None
    assert reader.read(b"\n")[0] == b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


@pytest.mark.parametrize("step", [1000, MAX_HEAD * 2])
def test_a_head_without_end_is_refused_at_the_limit(step: int) -> None:
    stream = b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD
    with pytest.raises(MalformedError, match="longer than 65536"):
        read_slowly(stream, step)


def test_a_whole_head_over_the_limit_is_refused_in_one_piece_too() -> None:
    fill = b"y" * (MAX_HEAD - 22)
    largest = b"GET / HTTP/1.1\r\nX:" + fill + b"\r\n\r\n"
    assert len(largest) == MAX_HEAD
    assert HeadReader(responses=False).read(largest)[0] == largest
    with pytest.raises(MalformedError, match="longer than 65536"):
        HeadReader(responses=False).read(largest[:20] + b"y" + largest[20:])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (data, b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        try:
            parse_request(head)
        except MalformedError as error:
            assert str(error)  # noqa: PT017 -- the point is that it is no other error
    try:
        parse_response(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n", "GET")
    except MalformedError as error:
        assert str(error)  # noqa: PT017
