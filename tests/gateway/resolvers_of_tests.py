"""A DNS server on loopback that answers from a table, over UDP and TCP."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Self

_TYPES = {1: 4, 28: 6}


class TableServer:
    """Names -> addresses. `truncates` answers UDP with TC, `spoils` sends garbage first."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self.table = table
        self.truncates = False
        self.spoils = False
        self.rcode = 0
        self.asked: list[tuple[str, int]] = []
        self._udp, self._tcp = _both()
        self.port = int(self._udp.getsockname()[1])
        self._threads = [
            threading.Thread(target=serve, daemon=True)
            for serve in (self._serve_udp, self._serve_tcp)
        ]

    @property
    def place(self) -> str:
        """What `gateway.resolvers` says."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._udp.sendto(b"", ("127.0.0.1", self.port))
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            pass
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while True:
            query, sender = self._udp.recvfrom(4096)
            if not query:
                return
            if self.spoils:
                self._udp.sendto(b"\0\0" + query[2:], sender)  # somebody else's identifier
            self._udp.sendto(self.answer(query, truncated=self.truncates), sender)

    def _serve_tcp(self) -> None:
        while True:
            client, _ = self._tcp.accept()
            with client, client.makefile("rb") as stream:
                size = stream.read(2)
                if not size:
                    return
                answer = self.answer(stream.read(int.from_bytes(size, "big")), truncated=False)
                client.sendall(len(answer).to_bytes(2, "big") + answer)

    def answer(self, query: bytes, *, truncated: bool) -> bytes:
        """Return the answer to one query."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, qtype = ".".join(labels), int.from_bytes(query[at + 1 : at + 3], "big")
        self.asked.append((name, qtype))
        texts = self.table.get(name, [])
        found = [a for a in map(ip_address, texts) if a.version == _TYPES.get(qtype)]
        if truncated:
            found = []
        records = b"".join(
            b"\xc0\x0c" + query[at + 1 : at + 5] + b"\0\0\0\x3c" + len(a.packed).to_bytes(2, "big")
            + a.packed
            for a in found
        )  # fmt: skip
        flags = 0x8180 | (0x0200 if truncated else 0) | self.rcode
        counts = b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0"
        return query[:2] + flags.to_bytes(2, "big") + counts + query[12 : at + 5] + records


def _both() -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket of one port; that a free one is free for both is not said."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


@contextmanager
def table_server(table: dict[str, list[str]]) -> Iterator[TableServer]:
    """Serve a table for as long as the block lasts."""
    server = TableServer(table).start()
    try:
        yield server
    finally:
        server.stop()
