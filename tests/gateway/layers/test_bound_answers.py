"""What a server says again does not come in: answers are whole, plain and searched (S3, S5)."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.layers.bound import Searched
from cleanroom.gateway.wire import Abort, Ended, Finish
from tests.gateway.secret_talk import (
    AT,
    CHUNKED_OK,
    GET,
    OK,
    PLACEHOLDER,
    REF,
    VALUE,
    SecretTalk,
    dechunked,
    keys,
    wire,
)
from tests.gateway.talk import SANDBOX, UPSTREAM


def test_an_answer_is_asked_for_whole_and_plain() -> None:
    talk = SecretTalk()
    fields = "accept-encoding: gzip, br\nRange: bytes=0-5\nIf-Range: x"
    assert talk.request(f"{GET}\n{fields}") == wire(GET)


@given(st.lists(st.integers(0, 600), max_size=20))
def test_an_echo_comes_back_as_the_placeholder_in_any_pieces(cuts: list[int]) -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nAuthorization: $")
    body = b'{"token": "' + VALUE + b'", "hex": "' + VALUE.hex().encode() + b'"}'
    answer = (
        b"HTTP/1.1 200 " + VALUE + b"\r\nX-Echo: Bearer " + VALUE + b"\r\n"
        b"Set-Cookie: s=" + VALUE + b"; Path=/\r\nLocation: https://evil.test/?t=" + VALUE + b"\r\n"
        b"Content-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    data = answer + body
    for start, end in pairwise(sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})):
        talk.answers(data[start:end])
    got = talk.sent(SANDBOX)
    assert VALUE not in got
    head, _, rest = got.partition(b"\r\n\r\n")
    assert head.count(PLACEHOLDER.encode()) == 4
    assert head.endswith(b"Transfer-Encoding: chunked")
    assert b"Content-Length" not in head
    wanted = {"token": PLACEHOLDER, "hex": PLACEHOLDER.encode().hex()}
    assert json.loads(dechunked(rest)) == wanted
    assert talk.request(GET) != b""  # the connection serves on


def test_a_token_that_is_minted_while_an_answer_goes_on_does_not_come_in_with_it() -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nAuthorization: $")
    talk.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n")
    minted = b"minted-0123456789abc"
    talk.keys.held[REF] = minted
    said = b"%b %b\n" % (minted, VALUE)
    talk.answers(b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said))
    body = dechunked(talk.sent(SANDBOX).partition(b"\r\n\r\n")[2])
    assert body == f"first\n{PLACEHOLDER} {PLACEHOLDER}\n".encode()


def test_interim_answers_are_searched_too() -> None:
    talk = SecretTalk()
    talk.request(GET)
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: <" + VALUE + b">\r\n\r\n"
    assert talk.answer(hint) == hint.replace(VALUE, PLACEHOLDER.encode())
    assert talk.answer(OK) == CHUNKED_OK


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_is_what_it_was(status: str) -> None:
    talk = SecretTalk()
    talk.request(GET)
    answer = f"HTTP/1.1 {status}\r\nETag: x\r\nContent-Encoding: gzip\r\n\r\n".encode()
    assert talk.answer(answer) == answer


def test_the_answer_to_head_keeps_its_length() -> None:
    talk = SecretTalk()
    talk.request("HEAD / HTTP/1.1\nHost: a.test")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
    assert talk.answer(answer) == answer


def test_one_up_to_the_end_of_the_connection() -> None:
    talk = SecretTalk()
    talk.request(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\n\r\nx" + VALUE[:9])
    assert VALUE[:4] not in talk.sent(SANDBOX)
    talk.answers(VALUE[9:])
    commands = talk.take(Ended(UPSTREAM))
    assert commands[-1] == Finish()
    assert dechunked(talk.sent(SANDBOX).partition(b"\r\n\r\n")[2]) == b"x" + PLACEHOLDER.encode()


def test_one_that_was_cut_does_not_look_whole() -> None:
    talk = SecretTalk()
    talk.request(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\n\r\nsome")
    assert talk.take(Ended(UPSTREAM, torn=True)) == [Abort()]
    assert not talk.sent(SANDBOX).endswith(b"0\r\n\r\n")


def test_http10_gets_no_chunks() -> None:
    talk = SecretTalk()
    talk.request("GET / HTTP/1.0\nHost: a.test\nConnection: keep-alive")
    answer = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = talk.answer(answer + b"2\r\nok\r\n0\r\nX-Trailer: " + VALUE + b"\r\n\r\n")
    assert got == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"
    assert talk.commands[-1] == Finish()


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("200 OK\nContent-Encoding: gzip", "compressed"),
        ("200 OK\nContent-Encoding: identity, br", "compressed"),
        ("206 Partial Content", "in parts"),
        ("200 OK\nContent-Range: bytes 0-1/2", "in parts"),
        ("200 OK\nContent-Type: multipart/byteranges; boundary=x", "in parts"),
        ("200 OK\nContent-Type: text/plain; charset=utf-16", "has a charset that"),
        ('200 OK\nContent-Type: text/plain; charset="UTF-7"', "has a charset that"),
        ("200 OK\nContent-Type: text/plain; charset = cp037", "has a charset that"),
    ],
)
def test_what_cannot_be_searched_does_not_come_in(head: str, why: str) -> None:
    talk = SecretTalk()
    talk.request(GET)
    talk.answer(f"HTTP/1.1 {head}\nContent-Length: 2\n\nok".replace("\n", "\r\n").encode())
    assert talk.refusal() == (502, "protocol_not_allowed")
    assert why in talk.reports[-1].reason


def test_what_the_server_calls_its_charset_is_not_repeated() -> None:
    value = b"ghp_0123456789"
    talk = SecretTalk(keys(value))
    talk.request(GET)
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/plain; charset=" + value.lower(), b"", b""]
    came = talk.answer(b"\r\n".join(lines))
    assert talk.refusal() == (502, "protocol_not_allowed")
    assert value not in came
    assert value.decode() not in repr(talk.reports)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", 'a/b; charset="ISO-8859-1"', "a/b"])
def test_what_can_be_searched_does(kind: str) -> None:
    talk = SecretTalk()
    talk.request(GET)
    answer = f"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Type: {kind}\r\n"
    assert talk.answer(answer.encode() + b"Content-Length: 2\r\n\r\nok").endswith(b"0\r\n\r\n")


def test_no_redirect_carries_a_secret_on() -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nAuthorization: $")
    moved = b"HTTP/1.1 307 Moved\r\nLocation: http://b.test/?k=%b\r\nContent-Length: 0\r\n\r\n"
    got = talk.answer(moved % VALUE)
    assert got == moved % PLACEHOLDER.encode()


def test_server_events_are_not_kept_waiting() -> None:
    talk = SecretTalk()
    talk.request(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert talk.answer(b"data: 1\n\n") == b"9\r\ndata: 1\n\n\r\n"
    assert talk.answer(b"data:") == b""


def test_nothing_is_sent_to_a_host_whose_secret_is_over() -> None:
    keyring = keys()
    keyring.ended = Deny(Code.SECRET_UNAVAILABLE, "the secret 'gh' is gone")
    talk = SecretTalk(keyring)
    assert talk.request(GET) == b""
    assert talk.codes == ["secret_unavailable"]


PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Hints\r\n", b"HTTP/1.0 500 x\r\n", b"\r\n", b"\r\n\r\n",
    b"Content-Length: 9\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: br\r\n", b"Content-Type: a; charset=x\r\n", b"15\r\n", b"0\r\n\r\n", VALUE,
    VALUE[:9], VALUE[9:], b"\\u0072", b"%72", b"%", b"\\", b"\0", b"\xff", b"Connection: close\r\n",
    b"X: ", b"\n", b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 101 S\r\n\r\n", VALUE.hex().encode(),
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=24), st.lists(st.integers(0, 400), max_size=6))
def test_whatever_comes_back_no_value_passes_and_nothing_breaks(
    pieces: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(pieces)
    for minor in "10":
        talk = SecretTalk()
        talk.request(GET.replace("HTTP/1.1", f"HTTP/1.{minor}"))
        talk.request(GET)
        bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in pairwise(bounds):
            talk.answers(data[start:end])
        talk.take(Ended(UPSTREAM))
        assert VALUE not in talk.sent(SANDBOX)
        assert VALUE.hex().encode() not in talk.sent(SANDBOX)


def searched() -> SecretTalk:
    """Return a talk with a host that is told the secret, at a port where it is not."""
    keyring = keys()
    return SecretTalk(keyring, Searched(keyring, AT, verified=False))


def test_a_host_that_is_told_a_secret_elsewhere_is_searched_too() -> None:
    talk = searched()
    assert talk.request(f"{GET}\naccept-encoding: gzip\nX-Api-Key: mine") == wire(
        f"{GET}\nX-Api-Key: mine"
    )
    body = b"it was " + VALUE
    got = talk.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert dechunked(got.partition(b"\r\n\r\n")[2]) == b"it was " + PLACEHOLDER.encode()
    assert talk.request(f"{GET}\nX-Api-Key: $") == b""
    assert talk.codes == ["", "secret_scope_violation"]


def test_what_it_answers_compressed_is_refused() -> None:
    talk = searched()
    talk.request(GET)
    got = talk.answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx")
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"xx" not in got.partition(b"\r\n\r\n")[2][:2]


@pytest.mark.parametrize("verified", [True, False])
def test_only_who_was_verified_gives_a_cookie(*, verified: bool) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, Searched(keyring, AT, verified=verified))
    talk.request(GET)
    talk.answer(b"HTTP/1.1 200 OK\r\nSet-Cookie: access_token=abc\r\nContent-Length: 0\r\n\r\n")
    assert keyring.cookies.has(AT.name, b"abc") is verified
