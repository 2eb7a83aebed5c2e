"""Calls as request bytes, and answers as values or errors."""

import json

import pytest

from cleanroom.client.calls import (
    Call,
    RemoteError,
    call_bytes,
    known_code,
    lines_of,
    read_json,
    read_reply,
    target_of,
)
from cleanroom.errors import Code, Fault, UserError

PROBLEM = {
    "title": "t",
    "status": 422,
    "detail": "cannot read cleanroom.yaml",
    "code": "policy_invalid",
    "hint": "cleanroom policy validate",
    "errors": [{"path": "cleanroom.yaml", "line": 7, "column": 11, "message": "cannot allow '*'"}],
}


def test_values_of_the_path_cannot_leave_their_segment() -> None:
    call = Call("get_sandbox", {"sandbox_id": "../a b/ü?"})
    assert target_of(call) == "/v1/sandboxes/..%2Fa%20b%2F%C3%BC%3F"


def test_a_sandbox_in_place_of_a_run_keeps_its_colon() -> None:
    assert target_of(Call("get_changes", {"run_id": "sandbox:dev"})).endswith(
        "/sandbox:dev/changes"
    )


def test_the_query_is_encoded() -> None:
    call = Call("read_audit", query={"since": "2026-01-02T03:04:05+00:00", "denied": "true"})
    assert target_of(call) == "/v1/audit?since=2026-01-02T03:04:05%2B00:00&denied=true"


def test_a_body_is_json() -> None:
    sent = call_bytes(Call("create_run", body={"command": ["é"]}), {})
    head, _, body = sent.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"command": ["é"]}


def test_words_that_are_not_utf8_are_refused_by_name() -> None:
    with pytest.raises(UserError, match="not UTF-8"):
        call_bytes(Call("create_run", body={"command": ["\udcff"]}), {})


def test_a_problem_becomes_the_error_that_was_meant() -> None:
    with pytest.raises(RemoteError) as caught:
        read_reply(422, json.dumps(PROBLEM).encode())
    error = caught.value
    assert error.code is Code.POLICY_INVALID
    assert error.hint == "cleanroom policy validate"
    assert error.placed[0].line == 7


def test_an_error_status_without_a_problem_is_a_fault() -> None:
    with pytest.raises(Fault, match="status 500"):
        read_reply(500, b'{"oops": 1}')


def test_a_code_of_a_newer_daemon_is_internal() -> None:
    assert known_code("from_the_future") is Code.INTERNAL


def test_no_content_is_an_empty_reply() -> None:
    assert read_reply(204, b"").fields == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_a_fault(body: bytes) -> None:
    with pytest.raises(Fault):
        read_json(body)


def test_lines_are_whole_whatever_the_pieces() -> None:
    pieces = iter([b'{"type":"ou', b'tput"}\n{"type":"exit"}\n{"type":"late"}\n'])
    assert [line.text("type") for line in lines_of(pieces)] == ["output", "exit"]


def test_a_stream_that_just_stops_is_a_fault() -> None:
    with pytest.raises(Fault, match="was cut"):
        list(lines_of(iter([b'{"type":"output"}\n'])))


def test_an_error_line_is_raised() -> None:
    line = json.dumps({"type": "error", "problem": PROBLEM}).encode()
    with pytest.raises(RemoteError):
        list(lines_of(iter([line + b"\n"])))


def test_a_line_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.client.calls.BODY_LIMIT", 10)
    with pytest.raises(Fault, match="too long"):
        list(lines_of(iter([b"x" * 11])))
