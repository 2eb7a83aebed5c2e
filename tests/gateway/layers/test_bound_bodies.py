"""Secrets in the bodies of requests: forms and JSON, with lengths that are right (S2, S9)."""

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.secret import SecretRef
from cleanroom.gateway.layers.bound import MAX_HELD
from cleanroom.gateway.wire import Abort, Finish, Send
from tests.gateway.secret_talk import (
    BINDING,
    CHUNKED_OK,
    OK,
    PLACEHOLDER,
    POST,
    VALUE,
    SecretTalk,
    dechunked,
    keys,
)
from tests.gateway.talk import SANDBOX, UPSTREAM

FORM = f"{POST}\nContent-Type: application/x-www-form-urlencoded"
JSON = f"{POST}\nContent-Type: application/json; charset=utf-8"


def posted(body: str, kind: str = FORM) -> tuple[str, bytes]:
    data = body.replace("$", PLACEHOLDER).encode()
    return f"{kind}\nContent-Length: {len(data)}", data


@pytest.mark.parametrize("kind", [f"{FORM}\nExpect: 100-continue", JSON])
def test_a_request_of_http_1_0_is_given_no_chunks(kind: str) -> None:
    talk = SecretTalk(keys(target=("form", "json")))
    head, body = posted("x" * (MAX_HELD + 1) if kind == JSON else "k=$", kind)
    old = f"{head}\nConnection: keep-alive".replace("HTTP/1.1", "HTTP/1.0")
    assert talk.request(old, body) == b""
    assert talk.refusal() == (403, "protocol_not_allowed")


def test_a_short_body_of_http_1_0_is_swapped() -> None:
    talk = SecretTalk(keys(target=("form",)))
    head, body = posted("k=$")
    sent = talk.request(head.replace("HTTP/1.1", "HTTP/1.0"), body)
    assert sent.endswith(b"Content-Length: %d\r\n\r\nk=%b" % (2 + len(VALUE), VALUE))


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_form_is_swapped_and_its_length_is_right(step: int) -> None:
    talk = SecretTalk(keys(b"a b&c=d/e%\xff", target=("form",)))
    head, body = posted("grant=x&secret=$&y=1")
    talk.request(head)
    for at in range(0, len(body), step):
        assert talk.sent(UPSTREAM) == b""
        talk.asks(body[at : at + step])
    real = b"grant=x&secret=a%20b%26c%3Dd%2Fe%25%FF&y=1"
    wanted = f"{FORM}\nAccept-Encoding: identity\nContent-Length: {len(real)}\n\n"
    assert talk.sent(UPSTREAM) == wanted.replace("\n", "\r\n").encode() + real
    assert talk.codes == [""]
    assert talk.answer(OK) == CHUNKED_OK


@pytest.mark.parametrize("kind", ["application/json", "Application/vnd.api+JSON ; a=b"])
def test_json_is_swapped_as_json_writes_it(kind: str) -> None:
    value = 'q"\\/\u00e9\U0001f600'.encode()
    talk = SecretTalk(keys(value, target=("json",)))
    head, body = posted('{"a": "x", "key": "$"}', f"{POST}\nContent-Type: {kind}")
    sent = talk.request(head, body)
    head_sent, _, body_sent = sent.partition(b"\r\n\r\n")
    assert json.loads(body_sent) == {"a": "x", "key": value.decode()}
    assert f"Content-Length: {len(body_sent)}".encode() in head_sent


def test_what_is_no_text_cannot_stand_in_json_and_nothing_was_sent() -> None:
    talk = SecretTalk(keys(b"\xff1234567", target=("json",)))
    assert talk.request(*posted('["$"]', JSON)) == b""
    assert talk.codes == ["", "secret_unavailable"]
    assert talk.refusal() == (403, "secret_unavailable")


def test_a_long_body_goes_in_chunks_as_it_comes() -> None:
    talk = SecretTalk(keys(target=("json",)))
    half = b"x" * MAX_HELD
    body = b'["' + half + PLACEHOLDER.encode() + half + b'"]'
    sent = talk.request(f"{JSON}\nContent-Length: {len(body)}")
    assert sent.endswith(b"Accept-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(body), 60_000):
        talk.asks(body[at : at + 60_000])
    assert dechunked(talk.sent(UPSTREAM).partition(b"\r\n\r\n")[2]) == b'["%b%b%b"]' % (
        half,
        VALUE,
        half,
    )


@pytest.mark.parametrize(
    "framing", ["Transfer-Encoding: chunked", "Content-Length: $\nExpect: 100-continue"]
)
def test_one_in_chunks_or_that_waits_for_a_word_is_not_held(framing: str) -> None:
    body = f"k={PLACEHOLDER}&l={PLACEHOLDER}".encode()
    talk = SecretTalk(keys(target=("form",)))
    sent = talk.request(f"{FORM}\n{framing}".replace("$", str(len(body))))
    assert b"Transfer-Encoding: chunked\r\n" in sent
    assert b"Content-Length" not in sent
    if "chunked" in framing:
        body = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    talk.asks(body)
    upstream = dechunked(talk.sent(UPSTREAM)[len(sent) :])
    assert upstream == b"k=%b&l=%b" % (VALUE, VALUE)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"x" * 100 + PLACEHOLDER.encode()),
        ("application/x-www-form-urlencoded", PLACEHOLDER.encode()),
        ("application/json", PLACEHOLDER.encode("utf-16-le")),
        ("", b"\0" + PLACEHOLDER.encode("utf-16-be")),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_a_body_that_no_secret_may_go_in_is_watched(kind: str, body: bytes, step: int) -> None:
    talk = SecretTalk()
    head = f"{POST}\nContent-Type: {kind}\nContent-Length: {len(body) + 1}"
    talk.request(head)
    for at in range(0, len(body), step):
        talk.asks(body[at : at + step])
    assert talk.codes == ["", "secret_scope_violation"]
    assert talk.commands[-1] == Abort()
    assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)


def test_utf16_is_a_violation_where_json_may_hold_it_too() -> None:
    talk = SecretTalk(keys(target=("json",)))
    body = f'["{PLACEHOLDER}"]'.encode("utf-16-le")
    assert talk.request(f"{JSON}\nContent-Length: {len(body)}", body) == b""
    assert talk.codes == ["", "secret_scope_violation"]


@pytest.mark.parametrize("answer", [OK, OK[:-1], OK + OK])
def test_a_server_that_answers_what_it_was_not_sent_changes_no_refusal(answer: bytes) -> None:
    talk = SecretTalk(keys(b"\xff1234567", target=("json",)))
    head, body = posted('["$"]', JSON)
    talk.request(head)
    talk.answers(answer)
    talk.asks(body)
    assert talk.commands[-1] in (Abort(), Finish())
    assert talk.sent(UPSTREAM) == b""


@pytest.mark.parametrize("target", ["json", "header"])
def test_a_trailer_is_no_place(target: str) -> None:
    talk = SecretTalk(keys(target=(target,)))
    talk.request(f"{JSON}\nTransfer-Encoding: chunked", b"2\r\n[]\r\n0\r\n")
    talk.asks(f"X-T: {PLACEHOLDER}\r\n\r\n".encode())
    assert talk.codes == ["", "secret_scope_violation"]
    assert "in a trailer" in talk.reports[1].reason
    assert talk.commands[-1] == Abort()


def test_a_body_that_is_refused_late_is_never_whole() -> None:
    talk = SecretTalk(keys(b"\xff1234567", target=("json",)))
    talk.request(f"{JSON}\nTransfer-Encoding: chunked")
    talk.asks(b"%x\r\n%b\r\n" % (len(PLACEHOLDER), PLACEHOLDER.encode()))
    assert talk.codes == ["", "secret_unavailable"]
    assert talk.commands[-1] == Abort()


def test_one_secret_may_go_where_another_may_not() -> None:
    other = SecretRef("cleanroom_bbbbbbbbbbbbbbbbbbbbbbbb", BINDING)
    keyring = keys(target=("json",))
    keyring.held[other] = b"other-Value_01234"
    talk = SecretTalk(keyring)
    assert talk.request(*posted('["$"]', JSON)).endswith(b'["' + VALUE + b'"]')
    talk.answer(OK)
    assert talk.request(*posted(f'["$", "{other.placeholder}"]', JSON)) == b""
    assert talk.codes == ["", "", "secret_scope_violation"]
    assert talk.refusal() == (403, "secret_scope_violation")


def test_an_empty_piece_is_no_command() -> None:
    talk = SecretTalk(keys(target=("form",)))
    commands = talk.request(*posted("$"))
    assert commands
    assert all(c.data for c in talk.commands if isinstance(c, Send))


WORDS = [
    b"POST /a HTTP/1.1\r\n", b"GET /?", b" HTTP/1.1\r\n", b"Host: a.test\r\n", b"\r\n", b"\r\n\r\n",
    b"Authorization: ", b"Basic ", base64.b64encode(PLACEHOLDER.encode()), b"Content-Length: 9\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Content-Type: application/json\r\n", b"0\r\n\r\n",
    b"22\r\n", PLACEHOLDER.encode(), PLACEHOLDER.encode()[:20], PLACEHOLDER.encode()[20:], b"%63",
    b"Cookie: a=", b"X: ", b"\0", b"\xff", b"Expect: 100-continue\r\n", b"Content-Length: 34\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=24), st.lists(st.integers(0, 400), max_size=6))
def test_whatever_comes_no_placeholder_passes_and_nothing_breaks(
    words: list[bytes], cuts: list[int]
) -> None:
    everywhere = ("header", "basic", "query", "form", "json", "cookie")
    for target in (("header",), everywhere):
        talk = SecretTalk(keys(target=target))
        data = b"".join([b"POST /a HTTP/1.1\r\nHost: a.test\r\n", *words])
        bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in pairwise(bounds):
            talk.asks(data[start:end])
        assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)
        assert VALUE not in talk.sent(SANDBOX)
