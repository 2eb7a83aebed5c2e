"""Verdicts as events."""

from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from cleanroom.events import Protocol
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.wire import Target
from tests.decide.policies import rule

TARGET = Target("a.test", "198.18.0.16", 443, 9)


def test_an_allow_names_rule_line_and_the_address_dialled() -> None:
    event = verdict_event(TARGET, Protocol.TLS, Allow(rule("a.test:443")), "203.0.113.7")
    assert (event.allowed, event.code, event.reason) == (True, "", "")
    assert (event.rule, event.rule_line) == ("a.test:443", 7)
    assert (event.address, event.port, event.connection_id) == ("203.0.113.7", 443, 9)


def test_a_denial_names_code_reason_and_the_address_asked_for() -> None:
    event = verdict_event(TARGET, Protocol.TCP, Deny(Code.HOST_NOT_ALLOWED, "no rule"))
    assert (event.allowed, event.code, event.reason) == (False, "host_not_allowed", "no rule")
    assert (event.rule, event.rule_line, event.address) == ("", 0, "198.18.0.16")
