"""A pasted token does not go to a bound host, wherever in the head it stands (S4)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.secret import TOKEN_HEADERS, Foreign
from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.foreign import MOST_PAIRS, Strangers
from tests.gateway.secret_talk import GET, PLACEHOLDER, VALUE, SecretTalk, bound, keys, wire

PASTED = "ghp_" + "mine" * 9
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtaW5lIn0.mine-mine"
OWN = "Private-Token: $"  # the placeholder, where it may stand


def asked(target: str, *fields: str) -> str:
    return "\n".join([f"GET {target} HTTP/1.1", "Host: a.test", *fields, OWN])


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# Where it stands, what a refusal calls that, and what is left when the operator has it taken out.
ALONE = [
    (asked("/a?access_token=mine"), "a parameter of the query", asked("/a")),
    (asked("/a?b=c&api-key=mine"), "a parameter of the query", asked("/a?b=c")),
    (asked("/a?api_key=mine&b=c"), "a parameter of the query", asked("/a?b=c")),
    (asked("/a?b;Access%5FToken=mine;c"), "a parameter of the query", asked("/a?b;c")),
    (asked("/a?password=1&client_secret=2"), "a parameter of the query", asked("/a?")),
    (asked(f"/a?q={PASTED}&b"), "a parameter of the query", asked("/a?b")),
    (asked(f"/a?q=x%20ghp%5F{PASTED[4:]}"), "a parameter of the query", asked("/a")),
    (asked(f"/a?{PASTED}"), "a parameter of the query", asked("/a")),
    (asked("/", "Cookie: access_token=mine"), "a cookie", asked("/", "Cookie:")),
    (asked("/", f"Cookie: a=1; b={PASTED}"), "a cookie", asked("/", "Cookie: a=1")),
    (asked("/", "Cookie: private_token=mine; b=2"), "a cookie", asked("/", "Cookie: b=2")),
    (asked("/", "Cookie: a=1 access_token=mine; b=2"), "a cookie", asked("/", "Cookie: b=2")),
    (asked("/", "Cookie: b=2; a=1, password = mine"), "a cookie", asked("/", "Cookie: b=2")),
    (asked("/", f"X-Other: token {PASTED}"), "the field x-other", asked("/")),
    (asked("/", f"User-Agent: {PASTED}"), "the field user-agent", asked("/")),
    (asked("/", "x_api_key: mine"), "the field x_api_key", asked("/")),
    (asked("/", "X-Authorization: Bearer mine"), "the field x-authorization", asked("/")),
    (asked("/", "Access-Token: mine"), "the field access-token", asked("/")),
    (asked("/", "DD-API-KEY: mine"), "the field dd-api-key", asked("/")),
    (asked("/a?access_token[0]=mine&b"), "a parameter of the query", asked("/a?b")),
    (asked("/a?access_token%5B%5D=mine"), "a parameter of the query", asked("/a")),
    (asked("/a?authorization=mine"), "a parameter of the query", asked("/a")),
    (asked("/", f"Cookie: a=1; session={JWT}"), "a cookie", asked("/", "Cookie: a=1")),
    (asked("/", f"Cookie: __Host-Auth={JWT}; b=2"), "a cookie", asked("/", "Cookie: b=2")),
    (asked("/", f'Cookie: jwt="Bearer {JWT}"; b=2'), "a cookie", asked("/", "Cookie: b=2")),
]
# These cannot be taken out.
MIXED = [
    (asked(f"/a/{PASTED}/b"), "the path"),
    (asked(f"/a/ghp%5F{PASTED[4:]}"), "the path"),
    (f"{GET}\nAuthorization: Bearer $, Bearer {PASTED}", "the field authorization"),
    (f"{GET}\nAuthorization: Basic {basic(f'{PASTED}:{PLACEHOLDER}')}", "the field authorization"),
]


@pytest.mark.parametrize(("head", "where"), [*[row[:2] for row in ALONE], *MIXED])
def test_it_is_blocked_and_said_where_but_not_what(head: str, where: str) -> None:
    talk = SecretTalk()
    assert talk.request(head) == b""
    assert talk.refusal() == (403, "secret_scope_violation")
    (event,) = talk.reports
    assert event.reason.startswith(f"{where} holds a credential that is no placeholder; a.test is")
    assert "mine" not in f"{event.reason}{event.path}"


@pytest.mark.parametrize(("head", "left"), [(row[0], row[2]) for row in ALONE])
def test_the_operator_may_have_it_taken_out(head: str, left: str) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, bound(keyring, Foreign.STRIP))
    assert talk.request(head) == wire(left)
    assert talk.codes == [""]


@pytest.mark.parametrize(("head", "where"), MIXED)
def test_what_cannot_be_taken_out_is_blocked_then_too(head: str, where: str) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, bound(keyring, Foreign.STRIP))
    assert talk.request(head) == b""
    assert where in talk.reports[0].reason


@pytest.mark.parametrize("head", [*[row[0] for row in ALONE], *[row[0] for row in MIXED[:3]]])
def test_the_operator_may_let_it_through(head: str) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, bound(keyring, Foreign.PASS))
    assert talk.request(head) == wire(head)
    assert "mine" not in talk.reports[0].path


@pytest.mark.parametrize(
    "head",
    [
        asked("/a?password=&access_token=%20&api_key"),
        asked("/a?q=wrong,+password=x", "Cookie: a=password = x; password; b= api_key=x"),
        asked("/a?token=mine&key=mine&page_token=mine&sig=mine&X-Amz-Signature=mine"),
        asked("/login?next=/a?b", "Cookie: session=mine; csrf_token=mine; id=eyJhIjoxfQ.e30.c2ln"),
        asked("/", "Referer: https://a.test/?password_hint=no", "X-Csrf-Token: mine"),
        asked(f"/?token={JWT}&jwt={JWT}", f"Cookie: id={JWT}; prefs=e30.e30.mine", f"X-Id: {JWT}"),
        asked("/", "Cookie: session=eyJhIjoxfQ.Z1abcd.mine", "Cookie: auth=eyJhIjoxfQ:1:mine"),
        asked("/?author=x&access_tokens=3&authorization_id=1", "X-Authorization-Id: 4"),
        asked("/", "Idempotency-Key: a", "Sec-WebSocket-Key: a", "X-Request-Token: a"),
        asked("/sk-10-najlepsich-miest-v-bratislave-a-v-okoli-mesta"),
    ],
)
def test_an_everyday_request_passes(head: str) -> None:
    assert SecretTalk().request(head) == wire(head)


@pytest.mark.parametrize("place", ["query", "cookie"])
def test_a_placeholder_is_no_stranger_under_any_name(place: str) -> None:
    head = {"query": asked("/?api_key=$"), "cookie": asked("/", "Cookie: access_token=$")}[place]
    talk = SecretTalk(keys(target=(place, "header")))
    assert talk.request(head) == wire(head)
    beside = head.replace("=$", f"=${PASTED}")
    assert SecretTalk(keys(target=(place, "header"))).request(beside) == b""


@pytest.mark.parametrize("foreign", [Foreign.BLOCK, Foreign.STRIP])
def test_a_placeholder_of_an_issuers_shape_is_no_stranger_either(foreign: Foreign) -> None:
    keyring = keys(b"ghp_" + b"r" * 36)
    (ref,) = keyring.held
    shaped = ref.__class__("ghp_" + "P" * 36, ref.binding)
    keyring.held = {shaped: keyring.held[ref]}
    talk = SecretTalk(keyring, bound(keyring, foreign))
    sent = talk.request(f"{GET}\nAuthorization: Bearer {shaped.placeholder}")
    assert b"Bearer ghp_rrrr" in sent
    sent = SecretTalk(keyring, bound(keyring, foreign)).request(
        f"{GET}\nAuthorization: Basic {basic(f'me:{shaped.placeholder}')}"
    )
    assert basic("me:ghp_" + "r" * 36).encode() in sent


@pytest.mark.parametrize("own", ["", "a=$"])
@pytest.mark.parametrize("place", ["query", "cookie", "words"])
def test_among_very_many_it_is_not_looked_for_one_by_one(place: str, own: str) -> None:
    sign = {"query": "&", "cookie": ";", "words": " "}[place]
    place = place.replace("words", "cookie")
    many = sign.join(["a"] * MOST_PAIRS + [own, "access_token=mine"])
    head = asked(f"/?{many}") if place == "query" else asked("/", f"Cookie: {many}")
    for foreign in (Foreign.BLOCK, Foreign.STRIP):
        keyring = keys(target=(place, "header"))
        talk = SecretTalk(keyring, bound(keyring, foreign))
        sent = talk.request(head)
        if foreign is Foreign.BLOCK or own:
            assert sent == b""
            assert "of which there are too many" in talk.reports[0].reason
        else:
            assert sent == wire(asked("/?") if place == "query" else asked("/", "Cookie:"))
    plain = head.replace(f"{sign}access_token=mine", "")
    assert SecretTalk(keys(target=(place, "header"))).request(plain) == wire(plain)


def test_cookies_of_many_fields_are_counted_together() -> None:
    few = "Cookie: " + ";".join(["a=1"] * (MOST_PAIRS // 4) + ["access_token=mine"])
    head = asked("/", *[few] * 31)
    strangers = Strangers(keys().found, frozenset(), lambda _: False).find(wire(head), [])
    found = [each for each in strangers if each.where.startswith("a cookie")]
    assert [each.where for each in found[:4]] == ["a cookie"] * 3 + [
        "a cookie, of which there are too many,"
    ]
    assert len(found) == 31
    sent = SecretTalk(keys(), bound(keys(), Foreign.STRIP)).request(head)
    assert b"access_token" not in sent
    assert SecretTalk(keys()).request(head) == b""


# What each answer says, and whether a cookie of that value may come back.
GIVEN = [
    (f"session={JWT}; Path=/; HttpOnly", f"session={JWT}", True),
    (f'session="{JWT}"', f"session={JWT}", True),
    (f"access_token={PASTED}", f"b=2; access_token={PASTED}", True),
    ("password=first", "password=other", False),
    (f"session={JWT}", f"session={JWT}; access_token=mine", False),
    ("theme=mine", "access_token=mine", False),
]


@pytest.mark.parametrize(("said", "cookie", "passes"), GIVEN)
def test_what_the_host_itself_gave_as_a_cookie_may_come_back(
    said: str,
    cookie: str,
    *,
    passes: bool,
) -> None:
    keyring = keys()
    talk = SecretTalk(keyring)
    answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: {said}\r\nContent-Length: 0\r\n\r\n".encode()
    head = asked("/", f"Cookie: {cookie}")
    assert SecretTalk(keyring).request(head) == b""  # before it gave that
    assert talk.request(asked("/"))
    assert said.encode() in talk.answer(answer)
    assert (talk.request(head) == wire(head)) is passes
    # Another host has not given it.
    other = SecretTalk(keys(allowed_hosts=("a.test", "npm.test")))
    other.keys.cookies.give("npm.test", said.encode())
    assert other.request(head) == b""


PIECES = st.lists(
    st.sampled_from(
        ["a", "=", "&", ";", "%26", "%3D", "access_token", "api%5Fkey", "password", PASTED, "mine"]
    ),
    max_size=12,
).map("".join)


@given(PIECES, PIECES, st.lists(st.sampled_from(["a=1", "api_key=x", PASTED, ""]), max_size=5))
def test_what_is_left_of_a_request_is_one_without_strangers(
    query: str, other: str, cookies: list[str]
) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, bound(keyring, Foreign.STRIP))
    head = asked(f"/p?{query}", f"X-Other: {other}", f"Cookie: {';'.join(cookies)}", "X-Last: 1")
    sent = talk.request(head)
    request = parse_request(sent)
    fields = dict(request.fields)
    unfilled = sent.replace(b"Private-Token: " + VALUE + b"\r\n", b"")
    strangers = Strangers(keyring.found, TOKEN_HEADERS, is_given=lambda _: False)
    assert list(strangers.find(unfilled, [])) == []
    assert request.target.partition("?")[0] == "/p"
    assert (fields["private-token"], fields["x-last"]) == (VALUE.decode(), "1")
    kept = [each.strip() for each in fields["cookie"].split(";")]
    assert [each for each in kept if each] == [each for each in cookies if each == "a=1"]
