"""What a registry is told of a sandbox's secrets, and what of its answers comes in."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.artifact import Grant
from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.lending import Lending, Loan, Search
from cleanroom.gateway.source import Answer
from tests.decide.policies import rule
from tests.gateway.secret_talk import AT, PLACEHOLDER, VALUE, Keys, keys

PAGE = Grant("npm", "metadata", "/left-pad", name="left-pad")
FILE = Grant("npm", "artifact", "/left-pad/-/left-pad-1.3.1.tgz", "left-pad", "1.3.1")
ALLOWED = Allow(rule("a.test:443", inspect=True))
BEARER = "Authorization: Bearer $"


def lending(keyring: Keys) -> Lending:
    return Lending(keyring, AT, [ref.binding for ref in keyring.held])


def head(*fields: str, target: str = "/left-pad") -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: a.test", *fields, "", ""]
    return "\r\n".join(lines).replace("$", PLACEHOLDER).encode()


def lent(keyring: Keys, *fields: str) -> Loan | Deny | None:
    raw = head(*fields)
    layer = lending(keyring)
    assert layer.judge(parse_request(raw), raw, ALLOWED) == ALLOWED
    return layer.lend(parse_request(raw), raw, "/left-pad")


def loan(keyring: Keys, *fields: str) -> Loan:
    made = lent(keyring, *fields)
    assert isinstance(made, Loan)
    return made


def basic(text: bytes) -> str:
    return f"Authorization: Basic {base64.b64encode(text).decode()}"


def code(outcome: object) -> Code:
    assert isinstance(outcome, Deny)
    return outcome.code


def test_a_field_goes_with_the_value_and_nothing_else_does() -> None:
    told = loan(keys(), "X-Other: y", BEARER, "User-Agent: z").lines("a.test", "/left-pad")
    assert told == (b"authorization: Bearer " + VALUE,)
    told = loan(keys(), basic(b"me:" + PLACEHOLDER.encode())).lines("a.test", "/left-pad")
    assert told == (b"authorization: Basic " + base64.b64encode(b"me:" + VALUE),)
    told = loan(keys(header="X-Key"), "x-key: $").lines("a.test", "/left-pad")
    assert told == (b"x-key: " + VALUE,)


def test_without_a_placeholder_nothing_is_lent() -> None:
    keyring = keys()
    assert lent(keyring, "X-Other: y") is None
    assert keyring.taken == []


def test_an_identity_is_that_of_what_is_sent() -> None:
    one = loan(keys(), BEARER).identity
    assert one == loan(keys(), "authorization:  Bearer $ ").identity
    others = [
        loan(keys(b"another-Value_0123456789"), BEARER),
        loan(keys(), "Authorization: Token $"),
        loan(keys(), basic(b"me:" + PLACEHOLDER.encode())),
        loan(keys(), basic(b"you:" + PLACEHOLDER.encode())),
        loan(keys(header="X-Key"), "X-Key: Bearer $"),
        # What a redirect's target would be told is no other one's either.
        loan(keys(allowed_hosts=("a.test", "b.test")), BEARER),
        loan(keys(paths=("/left-pad",)), BEARER),
    ]
    assert len({one, *(each.identity for each in others)}) == 8
    named = [
        loan(keys(allowed_hosts=hosts), BEARER)
        for hosts in (("a.test", "b.test"), ("b.test", "a.test"))
    ]
    assert named[0].identity == named[1].identity
    assert len(one) == 64
    assert VALUE.decode() not in repr(loan(keys(), BEARER))


def test_another_host_or_path_is_told_nothing_unless_the_binding_names_it() -> None:
    made = loan(keys(paths=("/left-pad",)), BEARER)
    assert made.lines("b.test", "/left-pad") == ()
    assert made.lines("a.test", "/other") == ()
    made = loan(keys(allowed_hosts=("a.test", "b.test")), BEARER)
    assert made.lines("b.test", "/left-pad") == (b"authorization: Bearer " + VALUE,)


def test_a_query_is_no_part_of_the_path_that_a_binding_names() -> None:
    made = loan(keys(paths=("/left-pad",)), BEARER)
    assert made.lines("a.test", "/left-pad?a=b") == (b"authorization: Bearer " + VALUE,)


def test_what_is_asked_by_get_is_judged_as_get() -> None:
    raw = head(BEARER).replace(b"GET ", b"HEAD ")
    for methods, is_lent in ((("HEAD",), False), (("GET", "HEAD"), True), ((), True)):
        layer = lending(keys(methods=methods))
        assert layer.judge(parse_request(raw), raw, ALLOWED) == ALLOWED
        made = layer.lend(parse_request(raw), raw, "/left-pad")
        assert isinstance(made, Loan) is is_lent


def test_a_value_that_is_gone_is_said() -> None:
    keyring = keys()
    made = loan(keyring, BEARER)
    keyring.held = dict.fromkeys(keyring.held, b"")
    assert code(made.lines("a.test", "/left-pad")) is Code.SECRET_UNAVAILABLE
    assert code(lent(keyring, BEARER)) is Code.SECRET_UNAVAILABLE


def test_one_request_is_one_use_however_often_it_is_sent() -> None:
    keyring = keys()
    made = loan(keyring, BEARER)
    made.lines("a.test", "/left-pad")
    assert len({request for _, request in keyring.taken}) == 1
    assert len(keyring.taken) == 2


def test_what_would_be_sent_in_part_is_a_violation() -> None:
    raw = head(BEARER)
    made = lending(keys(paths=("/left-pad",))).lend(parse_request(raw), raw, "/other")
    assert code(made) is Code.SECRET_SCOPE_VIOLATION
    twice = base64.b64encode(PLACEHOLDER.encode() + b"xx").decode() + "$"  # without padding
    assert code(lent(keys(), f"Authorization: Basic {twice}")) is Code.SECRET_SCOPE_VIOLATION


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/left-pad?token=$", ()),
        ("/left-pad", ("Cookie: a=$",)),
        ("/$", ()),
        ("/left-pad", ("$: x",)),
        ("/left-pad", ("User-Agent: $",)),
        ("/left-pad", ("Authorization: Bearer npm_of_the_sandbox",)),
    ],
)
def test_anywhere_else_it_is_a_violation_and_a_foreign_credential_too(
    target: str, fields: tuple[str, ...]
) -> None:
    raw = head(*fields, target=target)
    layer = lending(keys(target=("header", "query", "cookie")))
    verdict = layer.judge(parse_request(raw), raw, ALLOWED)
    assert code(verdict) is Code.SECRET_SCOPE_VIOLATION


# --- answers ---------------------------------------------------------------------------------


def read(search: Search, data: bytes, cut: int) -> tuple[bytes, Deny | None]:
    """Return what came of a body in pieces, and why it ended."""
    got = b""
    for at in range(0, len(data), cut):
        said = search.feed(data[at : at + cut])
        if isinstance(said, Deny):
            return got, said
        got += said
    rest = search.end()
    return (got, rest) if isinstance(rest, Deny) else (got + rest, None)


def begun(search: Search, status: int = 200, **fields: str) -> Answer:
    named = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    answer = search.begin(Answer(status, named, 100))
    assert isinstance(answer, Answer)
    return answer


@given(st.integers(1, 60))
def test_metadata_has_the_placeholder_instead_in_any_pieces(cut: int) -> None:
    search = lending(keys()).search(PAGE)
    answer = begun(search, etag="1", last_modified=f"x{VALUE.decode()}")
    assert answer == Answer(200, (("last-modified", f"x{PLACEHOLDER}"),), None)
    got, deny = read(search, b'{"a": "' + VALUE + b'"}\n' + VALUE.hex().encode(), cut)
    assert got == b'{"a": "' + PLACEHOLDER.encode() + b'"}\n' + PLACEHOLDER.encode().hex().encode()
    assert deny is None


@given(st.integers(1, 60))
def test_an_artifact_comes_as_it_is_or_not_beyond_the_value(cut: int) -> None:
    search = lending(keys()).search(FILE)
    assert begun(search, etag="1") == Answer(200, (), 100)
    assert read(search, b"a package " * 40, cut) == (b"a package " * 40, None)
    search = lending(keys()).search(FILE)
    begun(search)
    got, deny = read(search, b"abc" + VALUE + b" def" * 100, cut)
    assert b"abc".startswith(got)
    assert code(deny) is Code.SECRET_SCOPE_VIOLATION


def test_a_page_that_says_why_there_is_none_is_searched_as_metadata() -> None:
    search = lending(keys()).search(FILE)
    assert begun(search, 404).length is None
    assert read(search, b"no " + VALUE, 100) == (b"no " + PLACEHOLDER.encode(), None)


def test_metadata_that_cannot_be_searched_does_not_come() -> None:
    search = lending(keys()).search(PAGE)
    said = search.begin(Answer(200, (("content-type", "text/html; charset=utf-16"),), 5))
    assert code(said) is Code.PROTOCOL_NOT_ALLOWED


def test_who_tells_nothing_still_has_the_answer_searched() -> None:
    silence = lending(keys()).silence()
    assert (silence.identity, silence.lines("a.test", "/left-pad")) == ("", ())
    assert silence.sieve().feed(b"it was " + VALUE + b"\n") == b""
