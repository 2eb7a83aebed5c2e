"""What two readers may understand differently, on a connection that secrets may go to (S1, S2).

Each request is refused before a byte of it goes upstream, or goes with the value in its place.
"""

import pytest

from cleanroom.gateway.wire import Finish
from tests.gateway.secret_talk import (
    GET,
    IDENTITY,
    OK,
    PLACEHOLDER,
    POST,
    VALUE,
    SecretTalk,
    keys,
    wire,
)
from tests.gateway.talk import UPSTREAM

FORM = "application/x-www-form-urlencoded"
LATER = f"\n\n{GET}\nAuthorization: $"

REFUSED = {
    "a tunnel": "CONNECT a.test:443 HTTP/1.1\nHost: a.test:443\nAuthorization: $",
    "a whole address": "GET https://a.test/ HTTP/1.1\nHost: a.test\nAuthorization: $",
    "a user in it": "GET https://$@a.test/ HTTP/1.1\nHost: a.test",
    "a second Host": f"{GET}\nHost: a.test\nAuthorization: $",
    "a Host of another port": "GET / HTTP/1.1\nHost: a.test:8443\nAuthorization: $",
    "a folded field": f"{GET}\nAuthorization: Bearer\n $",
    "a blank before the colon": f"{GET}\nAuthorization : $",
    "a field for the next hop": f"{GET}\nConnection: authorization\nAuthorization: $",
    "two lengths": f"{POST}\nContent-Length: 1\nContent-Length: 2\nAuthorization: $",
    "a length and chunks": f"{POST}\nContent-Length: 1\nTransfer-Encoding: chunked\nApi-Key: $",
    "another protocol": f"{GET}\nUpgrade: h2c\nConnection: Upgrade\nAuthorization: $",
    "a field with another path": f"{GET}\nX_Original_URL: /b\nAuthorization: $",
    "in another case": f"{GET}\nAuthorization: {PLACEHOLDER.upper()}",
    "within another word's escape": f"GET /?a=%25{PLACEHOLDER} HTTP/1.1\nHost: a.test",
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_nothing_follows_on_its_connection(case: str) -> None:
    talk = SecretTalk()
    assert talk.request(REFUSED[case] + LATER) == b""
    assert len(talk.codes) == 1
    assert talk.codes[0] in (
        "protocol_not_allowed",
        "secret_scope_violation",
        "host_header_mismatch",
    )
    assert talk.commands[-1] == Finish()
    assert talk.request(f"{GET}\nAuthorization: $") == b""
    assert talk.keys.taken == []


def test_what_was_asked_before_a_violation_is_still_answered_and_nothing_after_it() -> None:
    talk = SecretTalk()
    violation = "GET /$ HTTP/1.1\nHost: a.test"
    first = f"{GET}\nAuthorization: $"
    assert talk.request(f"{first}\n\n{violation}\n\n{first}") == wire(first)
    assert talk.codes == ["", "secret_scope_violation"]
    got = talk.answer(OK)
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 403 " in got
    assert talk.commands[-1] == Finish()


def test_http_1_0_is_served_as_any_other() -> None:
    talk = SecretTalk()
    head = "GET /a HTTP/1.0\nHost: a.test\nAuthorization: Bearer $"
    assert talk.request(head) == wire(head)
    assert talk.answer(b"HTTP/1.0 200 OK\r\n\r\n" + VALUE + b"\n").endswith(
        b"\r\n\r\n%b\n" % PLACEHOLDER.encode()
    )


@pytest.mark.parametrize("name", ["Content-Type", "content_type"])
@pytest.mark.parametrize("second", [FORM, "application/json", "text/plain"])
def test_a_body_of_two_types_is_none_that_a_value_goes_in(name: str, second: str) -> None:
    talk = SecretTalk(keys(target=("form", "json")))
    body = f"a={PLACEHOLDER}".encode()
    head = f"{POST}\nContent-Type: {FORM}\n{name}: {second}\nContent-Length: {len(body)}"
    talk.request(head, body)
    assert talk.codes[-1] == "secret_scope_violation"
    assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)
    assert VALUE not in talk.sent(UPSTREAM)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "application/json, text/json", "application/xml"]
)
def test_a_body_of_another_type_is_none_either(kind: str) -> None:
    talk = SecretTalk(keys(target=("form", "json")))
    body = f'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{PLACEHOLDER}'.encode()
    talk.request(f"{POST}\nContent-Type: {kind}\nContent-Length: {len(body)}", body)
    assert talk.codes[-1] == "secret_scope_violation"
    assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)


def test_a_placeholder_behind_the_size_of_a_chunk_is_a_violation() -> None:
    for kind in (FORM, "text/plain"):
        talk = SecretTalk(keys(target=("form",)))
        talk.request(f"{POST}\nContent-Type: {kind}\nTransfer-Encoding: chunked")
        talk.asks(f"1;x={PLACEHOLDER}\r\na\r\n0\r\n\r\n".encode())
        assert talk.codes[-1] in ("secret_scope_violation", "protocol_not_allowed")
        assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)


@pytest.mark.parametrize(
    "body",
    [
        '{"a": "$", "a": "$"}',
        '{"$": "$", "b": ["$\\"$"]}',
        '"\\u0063" + "$"',
    ],
)
def test_in_json_each_one_is_swapped_wherever_it_stands(body: str) -> None:
    talk = SecretTalk(keys(target=("json",)))
    text = body.replace("$", PLACEHOLDER).encode()
    head = f"{POST}\nContent-Type: application/json\nContent-Length: {len(text)}"
    sent = talk.request(head, text)
    assert sent.partition(b"\r\n\r\n")[2] == body.replace("$", VALUE.decode()).encode()


@pytest.mark.parametrize(
    ("kind", "escaped"),
    [
        ("application/json", f"\\u0063{PLACEHOLDER[1:]}"),
        (FORM, f"a=%63{PLACEHOLDER[1:]}"),
        (FORM, f"a={PLACEHOLDER[:9]}+{PLACEHOLDER[9:]}"),
    ],
)
def test_one_that_its_sender_escaped_in_a_body_is_worth_nothing(kind: str, escaped: str) -> None:
    talk = SecretTalk(keys(target=("json", "form")))
    body = escaped.encode()
    head = f"{POST}\nContent-Type: {kind}\nContent-Length: {len(body)}"
    sent = talk.request(head, body)
    assert sent.endswith(body)
    assert VALUE not in sent
    assert IDENTITY.encode()[:-4] in sent


@pytest.mark.parametrize(
    "name", ["_method=DELETE", "a=b&_method=DELETE", "%5Fmethod=x", "a;_method="]
)
def test_no_query_makes_another_method_of_a_request_that_is_bound_to_methods(name: str) -> None:
    asked = f"POST /a?{name} HTTP/1.1\nHost: a.test\nAuthorization: $"
    talk = SecretTalk(keys(methods=("POST",)))
    assert talk.request(asked) == b""
    assert talk.refusal() == (403, "secret_scope_violation")
    assert SecretTalk().request(asked) == wire(asked)
