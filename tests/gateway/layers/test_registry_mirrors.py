"""Conversations with a client of a registry that the operator has asked at a mirror."""

from dataclasses import replace

from cleanroom.decide.mirror import Mirror
from cleanroom.errors import Code
from cleanroom.gateway.source import Answer
from cleanroom.gateway.wire import Fetch, Report
from tests.gateway.layers.test_registry import GET, Talk, refused
from tests.gateway.playbook import Verdict
from tests.gateway.secret_talk import keys

MIRROR = Mirror("npm.test", "https://m.test/npm", "company")


def test_a_host_with_a_mirror_is_asked_with_the_operators_word() -> None:
    keyring = replace(keys(), operators={"mirror:company": b"of-the-company"})
    talk = Talk(keyring=keyring, mirrors={"npm.test": MIRROR})
    asked = GET.replace(b"Cookie: c", b"If-None-Match: x")
    _, report, fetch = talk.asks(asked)
    assert isinstance(report, Report)
    assert (report.event.name, report.event.mirror) == ("npm.test", "m.test")
    assert isinstance(fetch, Fetch)
    assert fetch.want.mirror == MIRROR
    assert (fetch.want.host, fetch.want.if_none_match) == ("npm.test", "")
    assert fetch.want.identity
    assert b"etag" not in talk.answers(Answer(200, (("etag", "x"),), 5), b"hello")


def test_a_mirror_without_a_value_is_not_asked() -> None:
    data, event = refused(Talk(keyring=keys(), mirrors={"npm.test": MIRROR}).asks(GET))
    assert data.startswith(b"HTTP/1.1 403 secret_unavailable")
    assert event == Verdict(
        Code.SECRET_UNAVAILABLE, protocol="https", method="GET", path="/left-pad"
    )


def test_mirrors_of_other_hosts_change_nothing() -> None:
    *_, fetch = Talk(mirrors={"other.test": MIRROR}).asks(GET)
    assert isinstance(fetch, Fetch)
    assert (fetch.want.credential, fetch.want.mirrors) == (None, {})
