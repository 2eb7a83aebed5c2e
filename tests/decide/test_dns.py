"""Which names a sandbox may learn."""

import pytest

from cleanroom.decide.dns import AAAA, HTTPS, SVCB, A, decide_query
from cleanroom.decide.model import Allow, Deny
from tests.decide.policies import policy

EXAMPLE = policy("a.test:443", "*.b.test:22", "c.test:443,80", deny=("x.b.test:22", "c.test:443"))


@pytest.mark.parametrize("name", ["a.test", "y.b.test", "c.test"])
@pytest.mark.parametrize("qtype", [A, AAAA, SVCB, HTTPS])
def test_a_name_with_any_open_port_exists(name: str, qtype: int) -> None:
    assert isinstance(decide_query(EXAMPLE, name, qtype), Allow)


@pytest.mark.parametrize("name", ["b.test", "x.b.test", "data.a.test", "z.test", ""])
def test_all_other_names_do_not(name: str) -> None:
    verdict = decide_query(EXAMPLE, name, A)
    assert isinstance(verdict, Deny)
    assert verdict.code == "host_not_allowed"


def test_a_name_denied_on_every_port_says_by_which_rule() -> None:
    verdict = decide_query(EXAMPLE, "x.b.test", A)
    assert isinstance(verdict, Deny)
    assert verdict.rule is not None
    assert verdict.rule.rule_id == "x.b.test:22"


@pytest.mark.parametrize("qtype", [16, 10, 33, 15, 255, 12, 0, 65535])
def test_other_types_have_no_records(qtype: int) -> None:
    verdict = decide_query(EXAMPLE, "a.test", qtype)
    assert isinstance(verdict, Deny)
    assert verdict.code == "protocol_not_allowed"
    assert decide_query(EXAMPLE, "z.test", qtype) != verdict
