"""What of a newer policy a living sandbox is held to, and what it is not."""

import pytest

from cleanroom.policy.living import Hold, hold
from tests.policy.reading import compiled

OLD = """version: 1
sandbox:
  ttl_minutes: 30
  resources: {pids: 100}
  network: {default: deny, allow: [{host: a.example}, {host: "*.b.example", inspect: true}]}
registries: {npm: {enable: true, allowed_hosts: [r.example]}}
secrets: [{id: gh, env: GH, allowed_hosts: [a.example]}]
"""


def held(*changes: tuple[str, str]) -> Hold:
    """Return what becomes of a sandbox under OLD when OLD is edited so."""
    text = OLD
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return hold(compiled(OLD), compiled(text))


def test_an_equal_policy_changes_nothing() -> None:
    assert held(("version: 1", "version: 1\n# a comment")) == Hold(compiled(OLD))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{host: a.example}, ", "", "host a.example on port 80, 443"),
        ("enable: true", "enable: false", "registry npm of r.example"),
        ("secrets: [{", "secrets: []\n# [{", "secret gh (GH) to a.example on port 443"),
        ("{host: a.example}", "{host: a.example, ports: [443]}", "host a.example on port 80"),
    ],
)
def test_less_reach_holds_at_once(before: str, after: str, said: str) -> None:
    found = held((before, after))
    assert [change.text() for change in found.narrower] == [said]
    assert not found.is_refused
    assert found.later == ()
    assert found.policy == compiled(OLD.replace(before, after))  # equal: its hash, its needs


def test_what_it_was_made_with_holds_for_the_next_one_and_is_named() -> None:
    found = held(
        ("ttl_minutes: 30", "ttl_minutes: 5"),
        ("pids: 100", "pids: 10, memory: 1GiB"),
        ("{host: a.example}, ", ""),
    )
    assert [change.text() for change in found.narrower] == ["host a.example on port 80, 443"]
    assert [change.text() for change in found.later] == [
        "sandbox.ttl: 1800 -> 300",
        "sandbox.resources.memory_bytes: not set -> 1073741824",
        "sandbox.resources.pids: 100 -> 10",
    ]
    only_reach = compiled(OLD.replace("{host: a.example}, ", ""))
    assert found.policy.policy_hash == only_reach.policy_hash  # what is enforced, not what is asked


def test_what_is_wider_anywhere_changes_nothing() -> None:
    found = held(("{host: a.example}, ", ""), ("pids: 100", "pids: 200"))
    assert found.is_refused
    assert [change.text() for change in found.wider] == ["sandbox.resources.pids: 100 -> 200"]
    assert (found.policy, found.narrower, found.later) == (compiled(OLD), (), ())


def test_names_that_its_programs_do_not_trust_it_for_are_refused() -> None:
    text = OLD.replace("secrets: [{", "secrets: []\n# [{")
    stricter = text.replace("{host: a.example}", "{host: a.example, inspect: true}")
    found = hold(compiled(text), compiled(stricter))
    assert (found.wider, found.untrusted) == ((), ("a.example",))
    below = text.replace("{host: a.example}", '{host: "*.a.example"}')
    stricter = below.replace('"*.a.example"', '"*.a.example", inspect: true')
    assert hold(compiled(below), compiled(stricter)).untrusted == ("*.a.example",)
    assert hold(compiled(below), compiled(below)).untrusted == ()


def test_a_name_below_one_that_is_opened_is_trusted() -> None:
    found = held(('"*.b.example"', "x.b.example"))
    assert not found.is_refused
    assert [change.text() for change in found.narrower] == ["host *.b.example on port 80, 443"]
    assert held(("{host: a.example}", "{host: a.example, inspect: true}")).untrusted == ()
