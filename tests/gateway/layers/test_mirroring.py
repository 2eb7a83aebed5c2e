"""What a mirror is told, by whom it is known, and what of the sandbox's own never gets there."""

import base64
from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.mirror import Mirror, Mirrors
from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.mirroring import Mirrored, Mirroring, MirrorPass
from cleanroom.gateway.source import Credential
from tests.decide.policies import rule
from tests.gateway.secret_talk import AT, PLACEHOLDER, Keys, keys
from tests.gateway.test_upstream import Told

PAGE = Grant("npm", "metadata", "/ms", "ms", sites=("a.test", "b.test"))
SERVICE = Grant("npm", "service", "/-/whoami", sites=("a.test", "b.test"))
AUTH = Mirror("a.test", "https://m.test/x", "company")
BASIC = replace(AUTH, user="me")
OPEN = Mirror("a.test", "https://m.test/x")


def made(
    mirror: Mirror = AUTH,
    value: bytes | None = b"of-the-company",
    own: Credential | None = None,
    host: str = "a.test",
) -> MirrorPass | Deny:
    mirroring = Mirroring(_keys(value), {mirror.host: mirror})
    return mirroring.lend(PAGE, mirroring.of(PAGE.sites), host, own)


def _keys(value: bytes | None) -> Keys:
    held = {} if value is None else {"mirror:company": value}
    return replace(keys(), operators=held)


def lent(outcome: MirrorPass | Deny) -> MirrorPass:
    assert isinstance(outcome, MirrorPass)
    return outcome


def test_a_mirror_is_told_the_operators_value_and_another_host_is_not() -> None:
    told = lent(made())
    assert told.lines("a.test", "/ms") == (b"Authorization: Bearer of-the-company",)
    assert told.lines("b.test", "/ms") == ()
    pair = base64.b64encode(b"me:of-the-company")
    assert lent(made(BASIC)).lines("a.test", "/ms") == (b"Authorization: Basic " + pair,)
    assert lent(made(OPEN, None)).lines("a.test", "/ms") == ()
    assert told.sieve().feed(b"x of-the-company x") == b""


def test_what_the_sandbox_sends_goes_to_hosts_without_a_mirror_only() -> None:
    own = Told()  # for npm.test
    other = Mirror("npm.test", "https://m.test/x", "company")
    mirrors: Mirrors = {"a.test": AUTH}
    told = lent(Mirroring(_keys(b"of-the-company"), mirrors).lend(PAGE, mirrors, "a.test", own))
    assert told.lines("npm.test", "/left-pad") == (b"authorization: Bearer x",)
    mirrors = {"npm.test": other}
    told = lent(Mirroring(_keys(b"of-the-company"), mirrors).lend(PAGE, mirrors, "a.test", own))
    assert told.lines("npm.test", "/left-pad") == (b"Authorization: Bearer of-the-company",)


def test_an_identity_is_of_place_value_and_what_the_sandbox_sends() -> None:
    """And a host without a mirror has it too: it may redirect to the one that has."""
    everyone = [
        made(),
        made(BASIC),
        made(OPEN),
        made(value=b"another-value"),
        made(replace(AUTH, url="https://m.test/y")),
        made(own=Told()),
    ]
    identities = [lent(each).identity for each in everyone]
    assert len(set(identities)) == len(identities)
    assert "" not in identities
    assert lent(made(host="b.test")).identity == identities[0]
    assert "of-the-company" not in "".join(identities)


@pytest.mark.parametrize("value", [None, b" of-the-company"])
def test_without_a_value_that_can_be_sent_nobody_is_asked(value: bytes | None) -> None:
    outcome = made(value=value)
    assert isinstance(outcome, Deny)
    assert outcome.code is Code.SECRET_UNAVAILABLE
    assert "'company'" in outcome.reason
    told = MirrorPass(_keys(value), {"a.test": AUTH}, None)
    assert isinstance(told.lines("a.test", "/ms"), Deny)


def test_services_of_a_mirror_are_not_there() -> None:
    mirroring = Mirroring(_keys(b"of-the-company"), {"a.test": AUTH})
    mirrors = mirroring.of(SERVICE.sites)
    assert isinstance(mirroring.lend(SERVICE, mirrors, "a.test", None), Deny)
    assert isinstance(mirroring.lend(SERVICE, mirrors, "b.test", None), MirrorPass)
    assert (mirroring.label("a.test"), mirroring.label("b.test")) == ("m.test", "")


def test_answers_are_searched_where_a_mirror_was_told_something() -> None:
    mirroring = Mirroring(_keys(b"of-the-company"), {"a.test": AUTH})
    assert mirroring.search(PAGE, {"a.test": OPEN}) is None
    search = mirroring.search(PAGE, {"a.test": AUTH})
    assert search is not None
    assert search.feed(b"of-the-company\n") == b"***\n"


@pytest.mark.parametrize("is_there", [False, True])
def test_a_placeholder_of_the_sandbox_is_a_violation(*, is_there: bool) -> None:
    told = f"Authorization: Bearer {PLACEHOLDER if is_there else 'x'}"
    head = f"GET /ms HTTP/1.1\r\nHost: a.test\r\n{told}\r\n\r\n".encode()
    allowed = Allow(rule("a.test:443", inspect=True))
    custody = Mirrored(keys(), AT, verified=True)
    verdict = custody.judge(parse_request(head), head, allowed)
    if is_there:
        assert isinstance(verdict, Deny)
        assert verdict.code is Code.SECRET_SCOPE_VIOLATION
        assert "at a mirror" in verdict.reason
    else:
        assert verdict == allowed
