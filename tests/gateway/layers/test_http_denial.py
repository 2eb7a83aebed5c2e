"""What a refused request is answered: something each package manager shows to its person."""

import json

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import parse_response
from cleanroom.gateway.layers.http_denial import (
    cargo_denial,
    denial_response,
    git_denial,
    plain_denial,
    status_of,
)

DENY = Deny(Code.HOST_NOT_ALLOWED, "no rule of the policy allows evil.test")


def test_the_sentence_stands_everywhere_a_client_looks() -> None:
    data = denial_response(DENY)
    head, _, body = data.partition(b"\r\n\r\n")
    sentence = "host_not_allowed: no rule of the policy allows evil.test"
    assert head.split(b"\r\n")[0] == f"HTTP/1.1 403 {sentence}".encode()
    fields = dict(parse_response(head + b"\r\n\r\n", "GET").fields)
    assert fields["content-type"] == "application/problem+json"
    assert fields["npm-notice"] == "cleanroom: no rule of the policy allows evil.test"
    assert fields["x-cleanroom-code"] == "host_not_allowed"
    assert fields["connection"] == "close"
    assert json.loads(body) == {
        "type": "about:blank",
        "status": 403,
        "code": "host_not_allowed",
        "title": "host_not_allowed",
        "detail": DENY.reason,
        "error": sentence,
        "errors": [{"code": "DENIED", "message": sentence, "detail": DENY.reason}],
    }


def test_head_gets_the_head() -> None:
    assert denial_response(DENY, head_only=True).endswith(b"\r\n\r\n")


def test_hostile_text_stays_in_its_place() -> None:
    hostile = Deny(Code.HOST_NOT_ALLOWED, "a\r\nSet-Cookie: x\r\n\r\nHTTP/1.1 200 OK\x1b[31m\u202e")
    head, _, body = denial_response(hostile).partition(b"\r\n\r\n")
    assert b"Set-Cookie" not in [line.partition(b":")[0] for line in head.split(b"\r\n")]
    assert all(0x20 <= byte <= 0x7E for line in head.split(b"\r\n") for byte in line)
    assert json.loads(body)["detail"] == hostile.reason
    assert b"\x1b" not in body


def test_only_an_upstream_at_fault_is_a_bad_gateway() -> None:
    assert status_of(DENY) == 403
    assert status_of(Deny(Code.ADDRESS_NOT_ALLOWED, "x")) == 403
    assert status_of(Deny(Code.UPSTREAM_UNREACHABLE, "x")) == 502
    assert status_of(Deny(Code.UPSTREAM_CERTIFICATE_INVALID, "x")) == 502


def test_git_shows_the_reason_of_what_it_reads_as_an_answer() -> None:
    head, _, body = git_denial(DENY).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result")
    said = b"ERR host_not_allowed: no rule of the policy allows evil.test\n"
    assert body == b"%04x%b0000" % (len(said) + 4, said)


def test_git_and_go_show_plain_text_only() -> None:
    head, _, body = plain_denial(DENY).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 host_not_allowed: ")
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in head
    assert body.decode() == f"host_not_allowed: {DENY.reason}\n"
    assert plain_denial(DENY, head_only=True).endswith(b"\r\n\r\n")


def test_cargo_finds_the_sentence_where_it_looks() -> None:
    head, _, body = cargo_denial(DENY).partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n"
    assert json.loads(body) == {"errors": [{"detail": f"{DENY.code}: {DENY.reason}"}]}
    assert cargo_denial(DENY, head_only=True).endswith(b"\r\n\r\n")
