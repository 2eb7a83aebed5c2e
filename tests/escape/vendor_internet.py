"""An Internet whose servers speak as the vendors of coding agents do, well enough for one task.

In: TLS on port 443, with the name of a vendor. Out: what was asked (`asked`), and answers: the
agent is told to run one command by its own tool, and then that all is done. Never: a word of a
vendor; what is here is the shape of messages only.
"""

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, cast

from tests.escape.egress_world import Arrival
from tests.escape.tls_internet import TlsInternet
from tests.escape.vendor_words import answer_to
from tests.gateway.certificates import authority, server

NAMES: Final = (
    "api.anthropic.com", "api.openai.com", "chatgpt.com", "generativelanguage.googleapis.com",
    "cloudcode-pa.googleapis.com", "models.dev", "api.github.com",
    "api.individual.githubcopilot.com",
)  # fmt: skip
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
ROOTS: Final = authority(*NAMES)


@dataclass(frozen=True)
class Asked:
    """One request."""

    host: str
    method: str
    path: str
    fields: Mapping[str, str]  # by names in small letters
    body: dict[str, Any] = field(default_factory=dict)


class VendorInternet(TlsInternet):
    """Serves every name of NAMES; `asked` are the requests since the last `forget`."""

    names = NAMES
    asked: Final[list[Asked]] = []

    def forget(self) -> None:
        """Implement Internet."""
        super().forget()
        self.asked.clear()

    def _accept(self, server: socket.socket) -> None:
        if server.getsockname()[1] != 443:
            super()._accept(server)
            return
        stream, address = server.accept()
        arrival = Arrival(*stream.getsockname()[:2])
        self.arrivals.append(arrival)
        threading.Thread(target=_serve, args=(stream, address, arrival), daemon=True).start()


def _choose(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
    stream.context = server(name or NAMES[0], *NAMES)


class _Heard(ssl.SSLSocket):
    """One whose every byte, as it was within TLS, is kept."""

    received = bytearray()

    def recv_into(
        self,
        buffer: Any,  # noqa: ANN401 -- collections.abc.Buffer begins with 3.12
        nbytes: int | None = None,
        flags: int = 0,
    ) -> int:
        """Implement SSLSocket."""
        count = super().recv_into(buffer, nbytes, flags)
        self.received += memoryview(buffer)[:count]
        return count


def _serve(raw: socket.socket, address: tuple[str, int], arrival: Arrival) -> None:
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.sni_callback = _choose
    listening.sslsocket_class = _Heard
    raw.settimeout(120)
    with contextlib.suppress(OSError), listening.wrap_socket(raw, server_side=True) as stream:
        cast("_Heard", stream).received = arrival.received
        _Conversation(stream, address, cast("Any", None))
    arrival.is_closed = True


def _frame(data: bytes, head: int = 0x81) -> bytes:
    size = len(data)
    told = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes((head,)) + told + data


class _Conversation(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        if "upgrade" in fields:
            self._talk(fields)
            return
        body = self._body()
        host = fields.get("host", "")
        asked = Asked(host, self.command, self.path, fields, body)
        VendorInternet.asked.append(asked)
        status, kind, text = answer_to(host, self.path.partition("?")[0], body)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_HEAD = _answer  # noqa: N815 -- names of http.server

    def _body(self) -> dict[str, Any]:
        if self.headers.get("Transfer-Encoding"):
            data = b"".join(self._chunks())
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(ValueError):
            found = json.loads(data)
            return found if isinstance(found, dict) else {"": found}
        return {}

    def _talk(self, fields: Mapping[str, str]) -> None:
        """Answer each message of a WebSocket with the events of an answer, a message each."""
        told = hashlib.sha1(f"{fields['sec-websocket-key']}{_GUID}".encode()).digest()  # noqa: S324
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(told).decode())
        self.end_headers()
        self.close_connection = True
        host = fields.get("host", "")
        VendorInternet.asked.append(Asked(host, "WEBSOCKET", self.path, fields))
        while message := self._message():
            body = json.loads(message)
            VendorInternet.asked.append(Asked(host, "MESSAGE", self.path, {}, body))
            _, _, text = answer_to(host, self.path.partition("?")[0], {**body, "stream": True})
            for line in text.splitlines():
                if line.startswith("data: "):
                    self.wfile.write(_frame(line.removeprefix("data: ").encode()))

    def _message(self) -> bytes:
        """Return the next message, or nothing at the end. Pings are answered."""
        whole = b""
        while len(head := self.rfile.read(2)) == 2:
            size = head[1] & 127
            if size > 125:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            key = self.rfile.read(4)
            data = self.rfile.read(size)
            data = bytes(byte ^ key[i % 4] for i, byte in enumerate(data))
            kind = head[0] & 15
            if kind == 9:
                self.wfile.write(_frame(data, 0x8A))
            elif kind in {0, 1}:
                whole += data
                if head[0] & 128:
                    return whole
            else:
                break
        return b""

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""
