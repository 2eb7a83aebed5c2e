"""Hostile programs against plain HTTP. Promises E15, E16, E19, E20, E22 to E25.

The server of these tests is as careless as servers are: it counts request lines wherever they
stand. So a request it counts and the audit does not is one that was smuggled.
"""

import pytest

from tests.escape.egress_world import PUBLIC, Report, World, policy

pytestmark = pytest.mark.escape

ONE = policy("good.test:80")


def send_all(world: World, requests: "list[tuple[bytes, ...]]") -> Report:
    """Send each on a connection of its own, in its pieces; the result is all that came back."""
    return world.run(ONE, f"result = [talk('good.test', 80, *pieces) for pieces in {requests}]")


def counted(world: World) -> int:
    """Return how many requests a careless server saw."""
    return sum(len(arrival.requests) for arrival in world.reached(PUBLIC, 80))


def statuses(text: str) -> list[str]:
    """Return the status codes in what came back."""
    return [part[:3] for part in text.split("HTTP/1.1 ")[1:]]


def test_a_second_request_is_judged_again(world: World) -> None:
    """E20: another Host on a kept-alive connection, sent later or at once."""
    first = b"GET /a HTTP/1.1\r\nHost: good.test\r\n\r\n"
    evil = b"GET /b HTTP/1.1\r\nHost: evil.test\r\n\r\n"
    said = send_all(
        world, [(first, first), (first, evil), (first + evil,), (first + evil + first,)]
    )
    assert [statuses(text) for text in said.result] == [
        ["200", "200"], ["200", "403"], ["200", "403"], ["200", "403"],
    ]  # fmt: skip
    assert counted(world) == 5 == len(said.allowed("http"))
    assert len(said.denials("host_header_mismatch")) == 3
    assert not any(b"evil" in arrival.received for arrival in world.reached())


FRAMINGS = (
    b"Content-Length: 6\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 40",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\x0bchunked",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding:\r\n chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"Content-Length: 0\r\nContent-Length: 40",
    b"Content-Length: 0, 40",
    b"Content-Length: +40",
    b"Content-Length: -1",
    b"Content-Length: 4_0",
    b"Content-Length: 0x28",
    b"Content-Length: \xd9\xa4\xd9\xa0",
    b"Content-Length:",
    b"Content-Length: 99999999999999999999999",
    b" Content-Length: 40",
    b"Content\x00-Length: 40",
    b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding, close\r\nContent-Length: 4",
)


def test_a_request_that_could_be_framed_in_two_ways_is_refused(world: World) -> None:
    """E22: and the server sees no more requests than the audit."""
    hidden = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: good.test\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: good.test\r\n"
    requests = [(head + framing + b"\r\n\r\n" + hidden,) for framing in FRAMINGS]
    control = (head + b"Content-Length: 2\r\n\r\nok",)
    said = send_all(world, [*requests, control])
    *refused, passed = said.result
    outcome = dict(zip(FRAMINGS, map(statuses, refused), strict=True))
    assert {framing: seen for framing, seen in outcome.items() if seen != ["400"]} == {}
    assert statuses(passed) == ["200"]
    assert counted(world) == len(said.allowed("http"))
    received = b"".join(bytes(arrival.received) for arrival in world.reached(PUBLIC, 80))
    assert b"chunked" not in received


CHUNKS = (
    b"5;\n\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"05 \r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"fffffffffffffffff\r\nhello",
    b"\r\nhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 5\nX: y\r\n\r\n",
)


def test_a_body_with_faulty_chunks_is_cut(world: World) -> None:
    """E22: the server must not take it for a whole one."""
    head = b"POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    after = b"GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n"
    requests = [(head + chunks + after,) for chunks in CHUNKS]
    said = send_all(world, [*requests, (head + b"5\r\nhello\r\n0\r\n\r\n",)])
    assert statuses(said.result[-1]) == ["200"]
    received = b"".join(bytes(arrival.received) for arrival in world.reached(PUBLIC, 80))
    assert b"smuggled" not in received
    assert counted(world) == len(said.allowed("http"))
    assert len(said.denials("protocol_not_allowed")) >= 5


HEADS = (
    b"GET / HTTP/1.1\r\nHost: good.test\r\nHost: evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nHost: good.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\n evil.test",
    b"GET / HTTP/1.1\r\nHost:\r\n good.test",
    b"GET / HTTP/1.1\r\nHost : good.test",
    b"GET / HTTP/1.1\r\n Host: good.test",
    b"GET http://evil.test/ HTTP/1.1\r\nHost: good.test",
    b"GET http://good.test@evil.test/ HTTP/1.1\r\nHost: good.test",
    b"GET //evil.test/ HTTP/1.1\r\nHost: evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nX-Forwarded-Host: evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nForwarded: host=evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nX-Original-URL: http://evil.test/",
    b"GET / HTTP/1.1\r\nHost: good.test@evil.test",
    b"GET / HTTP/1.1\r\nHost: evil.test#good.test",
    b"GET / HTTP/1.1\r\nHost: good.test/evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\x00.evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test%00.evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\tevil.test",
    b"GET / HTTP/1.1\r\nHost: good.test\\evil.test",
    b"GET / HTTP/1.1\r\nHost: good.test:80:80",
    b"GET / HTTP/1.1\r\nHost: good.test:+80",
    b"GET / HTTP/1.1\r\nHost: good.test: 80",
    b"GET / HTTP/1.1\r\nHost: good.test:8_0",
    b"GET / HTTP/1.1\r\nHost: good.test:\xef\xbc\x98\xef\xbc\x90",
    b"GET / HTTP/1.1\r\nHost: evil.test\nHost: good.test",
    b"GET / HTTP/1.1\r\nX: y\rHost: evil.test\r\nHost: good.test",
    b"GET / HTTP/1.1 \r\nHost: good.test",
    b"GET  / HTTP/1.1\r\nHost: good.test",
    b"GET /\tx HTTP/1.1\r\nHost: good.test",
    b"GET / HTTP/1.1 HTTP/1.1\r\nHost: good.test",
    b"GET / HTTP/2.0\r\nHost: good.test",
    b"GET / HTTP/0.9\r\nHost: good.test",
    b"GET /",
    b"PRI * HTTP/2.0",
    b"CONNECT good.test:80 HTTP/1.1\r\nHost: good.test:80",
    b"CONNECT evil.test:443 HTTP/1.1\r\nHost: good.test",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nConnection: Upgrade\r\nUpgrade: websocket",
    b"GET / HTTP/1.1\r\nHost: good.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c",
)


def test_a_head_that_names_two_hosts_or_leaves_http_never_reaches_the_server(world: World) -> None:
    """E15, E16, E19, E23, E24."""
    said = send_all(world, [(head + b"\r\n\r\n",) for head in HEADS])
    seen = dict(zip(HEADS, map(statuses, said.result), strict=True))
    passed = {
        head: codes for head, codes in seen.items() if set(codes) - {"400", "403", "501", "505"}
    }
    assert passed == {}
    assert world.reached() == []
    assert sum(1 + event.get("repeated", 0) for event in said.denials()) == len(HEADS)
    control = send_all(world, [(b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n",)])
    assert statuses(control.result[0]) == ["200"]
    assert counted(world) == 1 == len(control.allowed("http"))


def test_bytes_that_are_neither_http_nor_tls_are_closed(world: World) -> None:
    """E25, E33: ssh, Redis, git, FTP, SMTP, PROXY, raw bytes on 80 and 443."""
    said = world.run(
        policy("good.test:80,443,5000"),
        r"""
speech = [b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n", b"0032git-upload-pack /x\0host=good.test\0",
          b"USER x\r\n\r\n", b"EHLO x\r\n\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 8\r\n\r\n",
          b"\0\1\2\3",
          b"\r\n\r\n\r\nGET / HTTP/1.1\r\n", b"get / HTTP/1.1\r\nHost: good.test\r\n\r\n"]
result = [dial("good.test", port, data) for port in (80, 443) for data in speech]
result.append(dial("good.test", 5000, speech[0]))
""",
    )
    *closed, control = said.result
    assert control == "upstream\n"
    assert all(
        text in ("ConnectionResetError", "closed") or "HTTP/1.1 40" in text for text in closed
    )
    assert {arrival.port for arrival in world.reached()} == {5000}
    codes = [event["code"] for event in said.denials() for _ in range(1 + event.get("repeated", 0))]
    assert codes == ["protocol_not_allowed"] * 18


def test_a_request_in_single_bytes_is_the_same_request(world: World) -> None:
    """E22: where it is cut changes no verdict."""
    good = b"POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 2\r\n\r\nok"
    evil = good.replace(b"good", b"evil")

    def bytewise(data: bytes) -> tuple[bytes, ...]:
        return tuple(data[at : at + 1] for at in range(len(data)))

    said = send_all(world, [bytewise(good + good), bytewise(evil), bytewise(good + evil)])
    assert [statuses(text) for text in said.result] == [["200", "200"], ["403"], ["200", "403"]]
    assert counted(world) == 3 == len(said.allowed("http"))


def test_no_query_string_is_recorded(world: World) -> None:
    """The audit keeps paths, never what follows the question mark."""
    head = b"GET /shown?token=hidden HTTP/1.1\r\nHost: %b\r\n\r\n"
    said = send_all(world, [(head % b"good.test",), (head % b"evil.test",)])
    assert [statuses(text) for text in said.result] == [["200"], ["403"]]
    lines = [line for line in world.read_audit().splitlines() if said.sandbox_id in line]
    network = "".join(line for line in lines if '"type":"network"' in line)
    assert "/shown" in network
    assert "hidden" not in network
