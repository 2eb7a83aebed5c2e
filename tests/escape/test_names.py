"""Each identity of a connection must agree: these tests change just one. Promises E12, E18, E26.

The name asked, the address it was given, the address dialled, the server name of TLS, the Host of
HTTP, the port. Each test begins from what passes, and changes one thing.
"""

import pytest

from tests.escape.egress_world import PUBLIC, Packet, World, policy

pytestmark = pytest.mark.escape

RESET = "ConnectionResetError"
TWO = policy("good.test", "other.test")
OTHER = "203.0.113.20"


def test_only_the_name_asked(world: World) -> None:
    """A denied name has no address, and the address of an allowed one stays the allowed one's."""
    world.internet.zone["denied.test"] = [PUBLIC]
    said = world.run(
        policy("good.test"),
        """
result = [dial(name, 443, hello("good.test")) for name in ("good.test", "denied.test")]
result += [get(name, "good.test") for name in ("good.test", "denied.test")]
""",
    )
    assert said.result == ["upstream\n", "gaierror", "HTTP/1.1 200 OK", "gaierror"]
    assert "denied.test" not in world.internet.queries


def test_only_the_address_inside(world: World) -> None:
    """The TLS and the Host of one allowed name, sent to the address of another or of nobody."""
    world.internet.zone["other.test"] = [OTHER]
    said = world.run(
        TWO,
        f"""
there = [address_of("good.test"), address_of("other.test"), "{PUBLIC}", "198.18.99.99"]
result = [[dial(host, 443, hello("good.test")), get(host, "good.test")] for host in there]
""",
    )
    good, other, public, nobody = said.result
    assert good == ["upstream\n", "HTTP/1.1 200 OK"]
    assert (other[0], other[1].split()[1]) == (RESET, "403")
    assert public == nobody == [RESET, RESET]
    assert world.left() == {Packet("tcp", PUBLIC, 443), Packet("tcp", PUBLIC, 80)}
    assert len(said.denials("sni_mismatch", "host_header_mismatch")) == 2


def test_only_the_address_dialled(world: World) -> None:
    """Name, server name and Host agree, and the resolver says a private address."""
    world.internet.zone["inward.test"] = ["10.1.2.3"]
    said = world.run(
        policy("good.test", "inward.test"),
        """
result = [[dial(name, 443, hello(name)), get(name)] for name in ("good.test", "inward.test")]
""",
    )
    assert said.result[0] == ["upstream\n", "HTTP/1.1 200 OK"]
    assert said.result[1][0] == RESET
    assert said.result[1][1].split()[1] == "403"
    refused = said.denials()
    assert [event["code"] for event in refused] == ["address_not_allowed"] * 2
    assert [event["address"] for event in refused] == ["10.1.2.3"] * 2
    assert {packet.address for packet in world.left()} == {PUBLIC}


def test_only_the_server_name(world: World) -> None:
    """E18: another, an allowed other, none, an address, two, one below, one with a NUL."""
    world.internet.zone["other.test"] = [OTHER]
    said = world.run(
        TWO,
        f"""
hellos = [hello("good.test"), hello("GOOD.TEST"), hello("denied.test"), hello("other.test"),
          hello(), hello(""), hello("{PUBLIC}"), hello("good.test", "other.test"),
          hello("x.good.test"), hello("good.test\\0.evil.test"), hello("good.test."),
          hello("g\\u00f6\\u00f6d.test")]
result = [dial("good.test", 443, data) for data in hellos]
""",
    )
    assert said.result == ["upstream\n"] * 2 + [RESET] * 8 + ["upstream\n", RESET]
    assert len(world.reached(PUBLIC, 443)) == 3
    assert world.left() == {Packet("tcp", PUBLIC, 443)}
    codes = [event["code"] for event in said.denials()]
    assert set(codes) == {"sni_mismatch", "protocol_not_allowed"}
    assert len(codes) == 9


def test_under_a_rule_on_addresses_no_server_name_is_the_match(world: World) -> None:
    """E18: and a name in TLS, or a Host that is not the address, is one too many."""
    said = world.run(
        policy("203.0.113.0/24:80,443", "good.test:80"),
        f"""
result = [dial("{PUBLIC}", 443, hello()), dial("{PUBLIC}", 443, hello("good.test")),
          get("{PUBLIC}"), get("{PUBLIC}", "good.test")]
""",
    )
    assert said.result[:3] == ["upstream\n", RESET, "HTTP/1.1 200 OK"]
    assert said.result[3].split()[1] == "403"
    assert [event["code"] for event in said.denials()] == ["sni_mismatch", "host_header_mismatch"]
    assert len(world.reached()) == 2


def test_only_the_host_field(world: World) -> None:
    """Another, an allowed other, an address, none, one below, another port."""
    world.internet.zone["other.test"] = [OTHER]
    said = world.run(
        TWO,
        f"""
hosts = ["good.test", "GOOD.TEST:80", "denied.test", "other.test", "{PUBLIC}", "x.good.test",
         "good.test:8080", "good.test:080", "good.test:", "good.test,other.test"]
result = [get("good.test", host) for host in hosts]
result.append(dial("good.test", 80, b"GET / HTTP/1.1\\r\\n\\r\\n").partition("\\r\\n")[0])
result.append(dial("good.test", 80, b"GET / HTTP/1.0\\r\\n\\r\\n").partition("\\r\\n")[0])
""",
    )
    statuses = [line.split()[1] for line in said.result]
    assert statuses[:2] == ["200", "200"]
    assert set(statuses[2:]) <= {"400", "403"}, statuses
    assert len(world.reached()) == 2
    refused = said.denials("host_header_mismatch", "protocol_not_allowed")
    assert sum(1 + event.get("repeated", 0) for event in refused) == 10


def test_only_the_port(world: World) -> None:
    """E17: everything agrees, and the port is not the rule's."""
    said = world.run(
        policy("good.test:443"),
        """
result = [dial("good.test", port, hello("good.test")) for port in (443, 80, 853, 8080, 65535)]
""",
    )
    assert said.result == ["upstream\n"] + [RESET] * 4
    assert world.left() == {Packet("tcp", PUBLIC, 443)}
    assert [event["port"] for event in said.denials("port_not_allowed")] == [80, 853, 8080, 65535]


def test_names_are_checked_on_other_ports_too_if_the_client_speaks_first(world: World) -> None:
    """Decision 3: outside 80 and 443 TLS and HTTP are still judged before their bytes pass."""
    said = world.run(
        policy("good.test:5000,8080"),
        """
result = [dial("good.test", 5000, hello("good.test")), dial("good.test", 5000, hello("bad.test")),
          dial("good.test", 5000, hello()), get("good.test", "good.test:8080", 8080),
          get("good.test", "bad.test:8080", 8080), dial("good.test", 5000, b"PING\\r\\n")]
""",
    )
    assert said.result[:4] == ["upstream\n", RESET, RESET, "HTTP/1.1 200 OK"]
    assert said.result[4].split()[1] == "403"
    assert said.result[5] == "upstream\n"
    received = [bytes(arrival.received) for arrival in world.reached(port=5000)]
    assert not any(b"bad.test" in data for data in received)
    assert [len(data) > 0 for data in received] == [True, False, False, True]


def test_a_hidden_name_is_refused_unless_the_rule_allows_it(world: World) -> None:
    """E26: Encrypted Client Hello, its GREASE and its predecessor."""
    world.internet.zone["open.test"] = [OTHER]
    said = world.run(
        policy("good.test:443", "{host: open.test, ports: [443], ech: allow}"),
        """
hidden = [extension(kind, b"\\0" * 40) for kind in (0xfe0d, 0xffce)]
result = [[dial(name, 443, hello(name, more=more)) for more in (b"", *hidden)]
          for name in ("good.test", "open.test")]
result.append(dial("open.test", 443, hello("bad.test", more=hidden[0])))
""",
    )
    assert said.result == [["upstream\n", RESET, RESET], ["upstream\n"] * 3, RESET]
    assert len(said.denials("ech_not_allowed")) == 2
    assert len(said.denials("sni_mismatch")) == 1
    assert len(world.reached(PUBLIC, 443)) == 1


def test_a_handshake_in_many_pieces_is_read_whole(world: World) -> None:
    """E26: records of one byte, segments of one byte, 60 KiB; more than 64 KiB is refused."""
    said = world.run(
        policy("good.test:443"),
        """
def pieces(data, size=1):
    return [data[at:at + size] for at in range(0, len(data), size)]
padding = extension(21, bytes(60000))
result = [
    dial("good.test", 443, hello("good.test", record=1)),
    dial("good.test", 443, *pieces(hello("good.test"))),
    dial("good.test", 443, *pieces(hello("good.test", record=2), 3)),
    dial("good.test", 443, hello("good.test", more=padding)),
    dial("good.test", 443, *pieces(hello("bad.test"))),
    dial("good.test", 443, hello("bad.test", record=1)),
    dial("good.test", 443, *pieces(hello("bad.test", more=padding), 1000)),
    dial("good.test", 443, hello("good.test", more=extension(21, bytes(65500)))),
    dial("good.test", 443, hello("good.test")[:-1] + b"!" * 2),
    dial("good.test", 443, b"\\x16\\3\\1\\0\\0" + hello("good.test")),
    dial("good.test", 443, b"\\x15\\3\\1\\0\\2\\1\\0" + hello("good.test")),
]
""",
    )
    assert said.result[:4] == ["upstream\n"] * 4
    assert set(said.result[4:]) <= {RESET, "BrokenPipeError"}, said.result
    received = [bytes(arrival.received) for arrival in world.reached(PUBLIC, 443)]
    assert len(received) == 4
    assert all(b"good.test" in data.replace(b"\x16\3\1\0\1", b"") for data in received[:2])


def test_the_audit_has_the_line_before_the_server_has_a_byte(world: World) -> None:
    """Decision 12, for TLS, HTTP and others, and for each request of a connection."""
    said = world.run(
        policy("good.test:80,443,5000"),
        """
result = [dial("good.test", 443, hello("good.test")), dial("good.test", 5000, b"PING\\r\\n"),
          get("good.test")]
""",
    )
    assert said.result == ["upstream\n", "upstream\n", "HTTP/1.1 200 OK"]
    for port in (443, 5000, 80):
        (arrival,) = world.reached(PUBLIC, port)
        lines = [line for line in arrival.audit.splitlines() if said.sandbox_id in line]
        (verdict,) = [line for line in lines if f'"port":{port},' in line]
        assert '"phase":"verdict"' in verdict
        assert '"allowed":true' in verdict
        assert f'"address":"{PUBLIC}"' in verdict
