"""Heads: one reading or none. Each refused spelling has a neighbour that is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.http1.heads import (
    MAX_FIELDS,
    NO_BODY,
    Delimiter,
    Framing,
    MalformedError,
    RequestHead,
    ResponseHead,
    parse_request,
    parse_response,
)
from tests.gateway.http1.heads import request, response


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
