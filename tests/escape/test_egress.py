"""Hostile programs against the egress: addresses, ports, datagrams. Promises E1 to E3, E9, E10,
E17, E27, E28, E31 to E33, E36, E41.

Every address outside answers (egress_world.py), so a connection that should not be would show.
"""

import pytest

from tests.escape.egress_namespace import OWN
from tests.escape.egress_world import PUBLIC, PUBLIC6, Packet, World, policy

pytestmark = pytest.mark.escape

FETCHED = "HTTP/1.1 200 OK"
REFUSED = "ConnectionResetError"
TO_GOOD = Packet("tcp", PUBLIC, 80)


def test_the_world_works(world: World) -> None:
    """The control of this file: over IPv4 and IPv6, and two packets are all that left."""
    world.internet.zone |= {"four.test": [PUBLIC], "six.test": [PUBLIC6]}
    said = world.run(
        policy("four.test:80", "six.test:80"), "result = [get('four.test'), get('six.test')]"
    )
    assert said.result == [FETCHED, FETCHED]
    assert world.left() == {TO_GOOD, Packet("tcp", PUBLIC6, 80)}
    assert set(world.internet.queries) == {"four.test", "six.test"}
    assert [(event["name"], event["address"]) for event in said.allowed("http")] == [
        ("four.test", PUBLIC),
        ("six.test", PUBLIC6),
    ]


@pytest.mark.parametrize(
    "literal",
    [
        PUBLIC,
        PUBLIC6,
        f"::ffff:{PUBLIC}",
        "3405803786",  # the same as one number
        "0xcb.0x0.0x71.0xa",
        "0313.0.0161.012",
        "203.0.28938",
    ],
)
def test_an_address_is_refused_on_every_port_however_it_is_written(
    world: World, literal: str
) -> None:
    """E1, E2, E3: even the address of an allowed name."""
    said = world.run(
        policy("good.test:80,443,5000"),
        f"result = [get('{literal}', 'good.test', port) for port in (80, 443, 5000, 65535)]"
        "; result.append(get('good.test'))",
    )
    assert said.result == [REFUSED] * 4 + [FETCHED]
    refused = said.denials("host_not_allowed")
    assert [event["port"] for event in refused] == [80, 443, 5000, 65535]
    assert {event["address"].removeprefix("::ffff:") for event in refused} <= {PUBLIC, PUBLIC6}
    assert world.left() == {TO_GOOD}


def test_a_rule_on_addresses_opens_those_and_no_others(world: World) -> None:
    """E1, E2, E31, E32: and it opens nothing that is special, even if it covers it."""
    rules = (
        "203.0.113.0/24:80",
        "{host: '2001:db8::10', ports: [80]}",
        "169.254.0.0/16:80",
        f"{OWN}:80",
    )
    said = world.run(
        policy(*rules),
        f"""
literals = ["{PUBLIC}", "{PUBLIC6}", "203.0.114.10", "2001:db8::11", "169.254.169.254", "{OWN}"]
result = [get(host, f"[{{host}}]" if ":" in host else host) for host in literals]
""",
    )
    assert said.result[:4] == [FETCHED, FETCHED, REFUSED, REFUSED]
    assert [line.split()[1] for line in said.result[4:]] == ["403", "403"]
    assert world.left() == {TO_GOOD, Packet("tcp", PUBLIC6, 80)}
    codes = [event["code"] for event in said.denials()]
    assert codes == ["host_not_allowed"] * 2 + ["address_not_allowed"] * 2


SPECIAL = (
    "127.0.0.1", "127.0.0.53", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "169.254.1.1", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.8",
    "192.88.99.1", "198.18.0.16", "224.0.0.1", "255.255.255.255", OWN, "198.51.100.8",
    "::", "::1", "fc00::1", "fd00:c1ea::10", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:203.0.113.10",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "64:ff9b::cb00:710a", "2002:7f00:1::1",
    "2001::1", "4000::1",
)  # fmt: skip


def test_an_allowed_name_at_a_special_address_is_not_dialled(world: World) -> None:
    """E9, E41: loopback, private, metadata, this host and its network, carriers of those."""
    names = {f"n{number}.bad.test": text for number, text in enumerate(SPECIAL)}
    world.internet.zone |= {name: [text] for name, text in names.items()}
    said = world.run(
        policy("*.bad.test:80,5000", "good.test:80"),
        f"""
result = {{name: [get(name), get(name, port=5000)] for name in {list(names)}}}
result["good"] = get("good.test")
""",
    )
    assert said.result.pop("good") == FETCHED
    outcomes = {(http.split()[1], other) for http, other in said.result.values()}
    assert outcomes == {("403", REFUSED)}, said.result
    assert world.left() == {TO_GOOD}
    assert len(world.internet.arrivals) == 1
    refused = {(event["name"], event["code"], event["port"]) for event in said.denials()}
    assert refused == {(name, "address_not_allowed", port) for name in names for port in (80, 5000)}


def test_among_mixed_answers_only_judged_addresses_are_dialled(world: World) -> None:
    """E10: whatever order they come in."""
    world.internet.zone |= {
        "first.test": ["127.0.0.1", "::1", PUBLIC],
        "last.test": [PUBLIC, "169.254.169.254", "fd00::1"],
    }
    said = world.run(
        policy("first.test:80", "last.test:80"), "result = [get('first.test'), get('last.test')]"
    )
    assert said.result == [FETCHED, FETCHED]
    assert world.left() == {TO_GOOD}
    assert {event["address"] for event in said.allowed("http")} == {PUBLIC}


def test_a_deny_rule_on_addresses_holds_for_names_too(world: World) -> None:
    """E9, E10: the address that is dialled is judged by the policy as well."""
    world.internet.zone |= {"far.test": ["203.0.114.1"], "near.test": ["203.0.113.99"]}
    text = policy("far.test:80", "near.test:80") + "    deny:\n      - host: 203.0.113.0/24\n"
    said = world.run(text, "result = [get('far.test'), get('near.test')]")
    assert said.result[0] == "HTTP/1.1 200 OK"
    assert said.result[1].split()[1] == "403"
    assert world.left() == {Packet("tcp", "203.0.114.1", 80)}
    (refused,) = said.denials()
    assert (refused["name"], refused["address"]) == ("near.test", "203.0.113.99")


def test_an_allowed_host_is_allowed_on_its_ports_only(world: World) -> None:
    """E17: with the ports left out, on 80 and 443."""
    world.internet.zone["plain.test"] = [PUBLIC]
    said = world.run(
        policy("good.test:80", "plain.test"),
        """
result = [get(host, f"{host}:{port}" if port != 80 else host, port)
          for host in ("good.test", "plain.test") for port in (8080, 5000, 853, 80)]
result.append(get("good.test", "good.test:443", 443))
result.append(dial("plain.test", 443, hello("plain.test")))
""",
    )
    closed = [REFUSED] * 3
    assert said.result == [*closed, FETCHED, *closed, FETCHED, REFUSED, "upstream\n"]
    assert {packet.port for packet in world.left()} <= {80, 443}
    refused = {(event["name"], event["port"]) for event in said.denials("port_not_allowed")}
    assert refused == {("good.test", port) for port in (443, 8080, 5000, 853)} | {
        ("plain.test", port) for port in (8080, 5000, 853)
    }


def test_datagrams_leave_nobody_and_are_recorded(world: World) -> None:
    """E27, E7, E5: QUIC, DNS over QUIC, NTP, mDNS, LLMNR, and DNS itself to somebody else."""
    said = world.run(
        policy("good.test:443"),
        f"""
good = socket.getaddrinfo("good.test", 443, socket.AF_INET)[0][4][0]
good6 = socket.getaddrinfo("good.test", 443, socket.AF_INET6)[0][4][0]
question = query(b"secret.evil.test")
sent = [(good, 443), (good6, 443), (good, 853), ("{PUBLIC}", 443), ("{PUBLIC6}", 443),
        ("{PUBLIC}", 123), ("{PUBLIC}", 5353), ("224.0.0.251", 5353), ("224.0.0.252", 5355),
        ("{PUBLIC}", 40000)]
for host, port in sent:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.sendto(question, (host, port))
answers = []
for server in ("8.8.8.8", good, "{PUBLIC}"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(5)
        out.sendto(question, (server, 53))
        answers.append(out.recv(512)[3] & 15)
result = [good, good6, answers, get("good.test", port=443)]
""",
    )
    good, good6, answers, _ = said.result
    assert answers == [3, 3, 3]  # our own NXDOMAIN, whoever was asked
    udp = {
        (event["address"], event["port"]) for event in said.denials() if event["protocol"] == "udp"
    }
    assert udp >= {
        (good, 443), (good6, 443), (good, 853), (PUBLIC, 443), (PUBLIC6, 443), (PUBLIC, 123),
        (PUBLIC, 5353), (PUBLIC, 40000),
    }  # fmt: skip
    assert {packet.protocol for packet in world.left()} <= {"tcp"}
    assert set(world.internet.queries) <= {"good.test"}


def test_no_other_protocol_leaves(world: World) -> None:
    """E28: ICMP, SCTP, DCCP, UDP-Lite and raw IP get no packet out."""
    said = world.run(
        policy("good.test:80"),
        f"""
def send(family, kind, protocol, host):
    try:
        with socket.socket(family, kind, protocol) as out:
            out.settimeout(0.2)
            out.connect((host, 80))
            out.send(bytes([8 if family == socket.AF_INET else 128]) + bytes(7))
    except OSError as error:
        return type(error).__name__
    return "sent"
good = socket.getaddrinfo("good.test", 80, socket.AF_INET)[0][4][0]
result = [send(family, kind, protocol, host)
    for family, host in ((socket.AF_INET, "{PUBLIC}"), (socket.AF_INET, good),
                         (socket.AF_INET6, "{PUBLIC6}"))
    for kind, protocol in ((socket.SOCK_DGRAM, 1), (socket.SOCK_DGRAM, 58), (socket.SOCK_RAW, 1),
                           (socket.SOCK_RAW, 255), (socket.SOCK_STREAM, 132),
                           (socket.SOCK_DGRAM, 136), (6, 33))]
result.append(get("good.test"))
""",
    )
    assert said.result[-1] == FETCHED
    assert world.left() == {TO_GOOD}


@pytest.mark.parametrize(
    "text",
    [None, "version: 1\n", policy(), "version: 1\nsandbox:\n  network:\n    default: deny\n"],
)
def test_without_rules_nothing_leaves(world: World, text: str | None) -> None:
    """E36: no policy, no network section, an empty list, the default alone."""
    if text is not None and text.endswith("allow:\n"):
        text = text.replace("allow:", "allow: []")
    said = world.run(
        text,
        f"""
def find(name):
    try:
        return socket.getaddrinfo(name, 80)
    except OSError as error:
        return type(error).__name__
result = [find("good.test"), get("{PUBLIC}"), get("{PUBLIC6}"), get("198.18.0.16"),
          find("localhost") != []]
""",
    )
    assert said.result == ["gaierror", REFUSED, REFUSED, REFUSED, True]
    assert (world.left(), world.internet.queries, world.internet.arrivals) == (set(), [], [])
    assert {event["code"] for event in said.denials()} == {"host_not_allowed"}
    control = world.run(policy("good.test:80"), "result = get('good.test')")
    assert control.result == FETCHED
