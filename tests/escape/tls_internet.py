"""An Internet whose port 443 speaks TLS, with certificates of an authority that the test made.

In: the sockets of egress_world. Out: arrivals with what was inside TLS. Never: a certificate that
anybody but the test's operator trusts (`gateway.trust`).
"""

import contextlib
import socket
import ssl
import threading
from typing import Final

from tests.escape.egress_world import Arrival, Internet
from tests.gateway.certificates import authority, expired_server, server

NAMES: Final = ("good.test", "relayed.test", "other.test", "stale.test")
ROOTS: Final = authority(*NAMES)
_PAGES: Final = {  # path: type and body
    "/pkg": ("application/json", b'{"name":"pkg","versions":{},"dist-tags":{}}'),
    "/simple/pkg/": ("text/html", b'<html><a href="/f/pkg-1.0.tar.gz">pkg-1.0.tar.gz</a></html>'),
    "/repo/info/refs": (
        "application/x-git-upload-pack-advertisement",
        b"001e# service=git-upload-pack\n0000"
        b"003d1111111111111111111111111111111111111111 refs/heads/main\n0000",
    ),
}


class TlsInternet(Internet):
    """Serves pages over TLS; the server at stale.test's address shows an expired certificate."""

    names: tuple[str, ...] = NAMES

    def _accept(self, server: socket.socket) -> None:
        if server.getsockname()[1] != 443:
            super()._accept(server)
            return
        stream, _ = server.accept()
        arrival = Arrival(*stream.getsockname()[:2])
        self.arrivals.append(arrival)
        threading.Thread(target=_serve, args=(stream, arrival), daemon=True).start()


def context_of(name: str) -> ssl.SSLContext:
    """Return what a server shows that was asked for `name`."""
    if name == "other.test":  # this one was set up wrongly
        return server("good.test", *NAMES)
    return expired_server(name, *NAMES) if name == "stale.test" else server(name, *NAMES)


def _choose(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
    stream.context = context_of(name or "good.test")


def _serve(raw: socket.socket, arrival: Arrival) -> None:
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.sni_callback = _choose
    raw.settimeout(30)
    with contextlib.suppress(OSError), listening.wrap_socket(raw, server_side=True) as stream:
        while data := stream.recv(65536):
            arrival.received += data
            for line in data.split(b"\r\n"):
                if line.endswith(b" HTTP/1.1"):
                    stream.sendall(_answer(line.split()[1].decode()))
    arrival.is_closed = True


def _answer(target: str) -> bytes:
    path, _, place = target.partition("?")
    if path == "/go":
        return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    kind, body = _PAGES.get(path, ("text/plain", b"ok"))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
