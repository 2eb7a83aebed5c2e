"""Services of the host: how they are written, and that each is exactly one place."""

from ipaddress import ip_address

import pytest

from cleanroom.decide.address import Guard
from cleanroom.decide.services import HostService, read_inside, read_outside, read_services
from cleanroom.decide.tcp import decide_dial
from cleanroom.policy.compile import compile_policy
from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy

LOOPBACK = ip_address("127.0.0.1")
SERVICES = read_services(
    [("Models.Internal.:11434", "127.0.0.1:8080"), ("db.internal:5432", "[::1]:5432")]
)


def test_names_are_canonical_and_places_are_addresses() -> None:
    assert {
        ("models.internal", 11434): HostService(LOOPBACK, 8080),
        ("db.internal", 5432): HostService(ip_address("::1"), 5432),
    } == SERVICES


@pytest.mark.parametrize("text", ["", "name", "name:", ":80", "name:0", "*.a:80", "127.0.0.1:80"])
def test_a_place_inside_is_a_name_and_a_port(text: str) -> None:
    with pytest.raises(InvalidHostError):
        read_inside(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80", "[::1]"),
        *("10.0.0.1:80", "0.0.0.0:80", "169.254.169.254:80", "[fe80::1]:80", "[127.0.0.1]:80"),
        *("[::ffff:10.0.0.1]:80", "127.1:80", "2130706433:80"),
    ],
)
def test_a_place_outside_is_loopback_in_full(text: str) -> None:
    with pytest.raises(InvalidHostError):
        read_outside(text)


def policy(rules: str = "") -> CompiledPolicy:
    text = f"version: 1\nsandbox:\n  network:\n    default: deny\n{rules}"
    return compile_policy(parse_policy(text, "cleanroom.yaml"))


@pytest.mark.parametrize(
    ("name", "address", "port", "allowed"),
    [
        ("models.internal", "127.0.0.1", 11434, True),
        ("models.internal", "127.0.0.2", 11434, False),
        ("models.internal", "::1", 11434, False),
        ("models.internal", "127.0.0.1", 8080, False),
        ("other.internal", "127.0.0.1", 11434, False),
        ("", "127.0.0.1", 11434, False),
        ("db.internal", "::1", 5432, True),
    ],
)
def test_only_the_very_place_is_dialled_for_the_very_name(
    name: str, address: str, port: int, *, allowed: bool
) -> None:
    guard = Guard(services=SERVICES)
    assert (decide_dial(policy(), guard, name, ip_address(address), port) is None) == allowed


def test_a_policy_may_still_deny_the_address() -> None:
    denying = policy("    deny:\n      - host: 127.0.0.0/8\n        ports: [8080]\n")
    deny = decide_dial(denying, Guard(services=SERVICES), "models.internal", LOOPBACK, 11434)
    assert deny is not None
