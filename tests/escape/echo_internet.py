"""An Internet whose servers say again what they were told, in every form that hurts.

In: TLS on the ports 443 and 8080. Out: answers that repeat the request's X-Api-Key or
Authorization. Never: a help to the gateway: it compresses, splits, redirects, never ends and
answers in parts if the path says so.
"""

import base64
import contextlib
import gzip
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

from tests.escape.egress_world import Arrival
from tests.escape.tls_internet import TlsInternet
from tests.gateway.certificates import authority, server
from tests.recipes import EVERY

# The first is where the secret may go; the others are allowed too, one of them relayed.
NAMES: Final = ("good.test", "other.test", "relayed.test")
# What the recipes of coding agents reach.
AGENT_HOSTS: Final = tuple(dict.fromkeys(host for _, each in EVERY for host in each.hosts))
_EVERY: Final = (*NAMES, *AGENT_HOSTS)
ROOTS: Final = authority(*_EVERY)
MINTED: Final = "minted-0123456789abcdefABCDEF"
ROTATED: Final = "rotated-0123456789abcdefABCDE"
_LAST: Final[list[bytes]] = []  # what was told last, at whatever port


class EchoInternet(TlsInternet):
    """Serves every name of NAMES."""

    names = NAMES

    def _accept(self, server: socket.socket) -> None:
        if server.getsockname()[1] not in (443, 8080):
            super()._accept(server)
            return
        stream, _ = server.accept()
        arrival = Arrival(*stream.getsockname()[:2])
        self.arrivals.append(arrival)
        threading.Thread(target=_serve, args=(stream, arrival), daemon=True).start()


def _choose(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
    stream.context = server(name or "good.test", *_EVERY)


def _serve(raw: socket.socket, arrival: Arrival) -> None:
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.sni_callback = _choose
    raw.settimeout(60)
    with contextlib.suppress(OSError), listening.wrap_socket(raw, server_side=True) as stream:
        for request in _requests(stream, arrival):
            head = request.partition(b"\r\n\r\n")[0]
            for piece in ANSWERS.get(head.split()[1].partition(b"?")[0], plain)(request):
                stream.sendall(piece)
    arrival.is_closed = True


def _requests(stream: ssl.SSLSocket, arrival: Arrival) -> Iterator[bytes]:
    """Yield whole requests, body and all."""
    data = b""
    while piece := stream.recv(65536):
        arrival.received += piece
        data += piece
        head, found, body = data.partition(b"\r\n\r\n")
        fields = _fields(head)
        if found and len(body) >= int(fields.get("content-length", "0")):
            if "transfer-encoding" in fields and not body.endswith(b"0\r\n\r\n"):
                continue
            yield data
            data = b""


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}


def _token(request: bytes) -> bytes:
    fields = _fields(request.partition(b"\r\n\r\n")[0])
    said = fields.get("x-api-key") or fields.get("authorization", "").rpartition(" ")[2]
    _LAST[:] = [said.encode("latin-1") or b"nothing"]
    return _LAST[0]


def again(_: bytes) -> Iterator[bytes]:
    """Say what an earlier request told."""
    yield _whole(b"you told " + b"".join(_LAST), "Content-Type: text/plain")


def _whole(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1") + body


def plain(request: bytes) -> Iterator[bytes]:
    yield _whole(request, "Content-Type: text/plain")


def forms(request: bytes) -> Iterator[bytes]:
    token = _token(request)
    text = token.decode("latin-1")
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
    percent = "".join(f"%{byte:02X}" for byte in token)
    encoded = [base64.b64encode(b"x" * skip + token + b"yz").decode() for skip in range(3)]
    lines = [text, quote(text), percent, escaped, quote(escaped), json.dumps(text)]
    lines += [token.hex(), *encoded]
    body = "\n".join(lines).encode() + b"\n" + text.encode("utf-16-le")
    yield _whole(body)


def split(request: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for byte in b"token: " + _token(request) + b" end":
        yield b"1\r\n%c\r\n" % byte
    yield b"0\r\nX-Trailer: " + _token(request) + b"\r\n\r\n"


def fields(request: bytes) -> Iterator[bytes]:
    text = _token(request).decode("latin-1")
    cookie = f"Set-Cookie: s={text}; Path=/"
    yield _whole(b"ok", f"X-Said: {text}", cookie, status=f"200 {text}")


def zipped(request: bytes) -> Iterator[bytes]:
    yield _whole(gzip.compress(_token(request)), "Content-Encoding: gzip")


def part(request: bytes) -> Iterator[bytes]:
    yield _whole(_token(request)[:9], "Content-Range: bytes 0-8/99", status="206 Partial Content")


def elsewhere(request: bytes) -> Iterator[bytes]:
    text = _token(request).decode("latin-1")
    place = f"Location: https://other.test/plain?t={text}"
    yield _whole(b"", place, status="307 Temporary Redirect")


def message(_: bytes) -> Iterator[bytes]:
    """Say what an Anthropic-style client expects."""
    said = {"type": "text", "text": "hello from outside"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [said]}
    rest = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    yield _whole(json.dumps({**body, **rest}).encode(), "Content-Type: application/json")


def completion(_: bytes) -> Iterator[bytes]:
    """Say what an OpenAI-style client expects."""
    said = {"role": "assistant", "content": "hello from outside"}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    body = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m"}
    text = json.dumps({**body, "choices": [choice]}).encode()
    yield _whole(text, "Content-Type: application/json")


def endless(request: bytes) -> Iterator[bytes]:
    """Repeat it line by line, until the connection is cut."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    line = b"data: " + _token(request) + b"\n\n"
    while True:
        yield b"%x\r\n%b\r\n" % (len(line), line)
        threading.Event().wait(0.05)


def package(_: bytes) -> Iterator[bytes]:
    yield _whole(b'{"name":"pkg","versions":{},"dist-tags":{}}', "Content-Type: application/json")


def minted(_: bytes) -> Iterator[bytes]:
    told = {"access_token": MINTED, "token_type": "Bearer", "expires_in": 3600}
    yield _whole(json.dumps({**told, "refresh_token": ROTATED}).encode())


def unminted(_: bytes) -> Iterator[bytes]:
    yield _whole(b'{"error": "invalid_grant"}', status="400 Bad Request")


def websocket(request: bytes) -> Iterator[bytes]:
    """Switch, and say at once who asked."""
    key = _fields(request.partition(b"\r\n\r\n")[0])["sec-websocket-key"]
    told = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
    head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    head += [f"Sec-WebSocket-Accept: {base64.b64encode(told).decode()}", "", ""]
    said = b"you are " + _token(request)
    yield "\r\n".join(head).encode() + bytes((0x81, len(said))) + said


def index(_: bytes) -> Iterator[bytes]:
    yield _whole(b"<html></html>", "Content-Type: text/html")


ANSWERS: Final[dict[bytes, Callable[[bytes], Iterator[bytes]]]] = {
    b"/again": again,
    b"/forms": forms,
    b"/split": split,
    b"/fields": fields,
    b"/zipped": zipped,
    b"/part": part,
    b"/elsewhere": elsewhere,
    b"/endless": endless,
    b"/pkg": package,
    b"/simple/pkg/": index,
    b"/v1/messages": message,
    b"/v1/chat/completions": completion,
    b"/ws": websocket,
    b"/oauth/token": minted,
    b"/oauth/none": unminted,
}
