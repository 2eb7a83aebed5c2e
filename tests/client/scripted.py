"""A daemon that says what a test scripts: real socket, real HTTP and WebSocket, no cleanroom.

Its two halves of the protocol are written out here and share nothing with the client's.
"""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cleanroom import __version__

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
RUN: dict[str, Any] = {
    "id": "run_1",
    "sandbox_id": "sbx_1",
    "execution_id": "exe_1",
    "state": "running",
    "command": ["true"],
    "workspace": "/w",
    "backend": "local",
    "policy_hash": "sha256:0",
    "created_at": "2026-01-02T03:04:05Z",
    "notes": [],
}
HEALTH = {"status": "ok", "version": __version__, "pid": 1, "idle": False}


def problem(code: str, detail: str, status: int = 400, **more: object) -> "Answer":
    """Return an RFC 9457 answer."""
    return Answer({"title": "t", "status": status, "detail": detail, "code": code, **more}, status)


@dataclass
class Answer:
    """What to answer: JSON, or bytes as they are."""

    body: object
    status: int = 200

    def bytes(self) -> bytes:
        """Return it as it goes over the wire."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (self.status, len(body)) + body


@dataclass
class Request:
    """What the client sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 -- a test reads what it expects
        """Return the body's JSON."""
        return json.loads(self.body)


class Peer:
    """The daemon's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._reader = sock.makefile("rb")

    def close(self) -> None:
        """Close it as a killed daemon would."""
        self._reader.close()
        self.socket.close()

    def request(self) -> Request | None:
        """Read one request; None at the end."""
        line = self._reader.readline().decode()
        if not line:
            return None
        method, target, _ = line.split()
        headers: dict[str, str] = {}
        while (line := self._reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self._reader.read(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body)

    def upgrade(self, request: Request) -> None:
        """Answer a WebSocket handshake."""
        key = request.headers["sec-websocket-key"] + GUID
        digest = hashlib.sha1(key.encode(), usedforsecurity=False).digest()
        accept = base64.b64encode(digest).decode()
        lines = ("HTTP/1.1 101 X", "Upgrade: websocket", f"Sec-WebSocket-Accept: {accept}", "", "")
        self.socket.sendall("\r\n".join(lines).encode())

    def frame(self, opcode: int, data: bytes) -> None:
        """Send one frame, unmasked as a server must."""
        size = len(data)
        if size < 126:
            head = bytes([size])
        elif size < 65536:
            head = b"\x7e" + size.to_bytes(2, "big")
        else:
            head = b"\x7f" + size.to_bytes(8, "big")
        self.socket.sendall(bytes([0x80 | opcode]) + head + data)

    def output(self, stream: int, data: bytes) -> None:
        """Send bytes of the workload."""
        self.frame(2, bytes([stream]) + data)

    def say(self, kind: str, **fields: object) -> None:
        """Send a text message."""
        self.frame(1, json.dumps({"type": kind, **fields}).encode())

    def exit(self, **fields: object) -> None:
        """Send the end of the run."""
        run = {**RUN, "state": "succeeded", "exit_code": 0, **fields}
        self.say("exit", run=run)

    def message(self) -> tuple[int, bytes] | None:
        """Read one frame of the client, by RFC 6455 section 5.2; None at the end."""
        head = self._reader.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(self._reader.read(2 if size == 126 else 8), "big")
        assert head[1] & 0x80, "a client must mask"
        mask = self._reader.read(4)
        data = self._reader.read(size)
        return head[0] & 0xF, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    def text(self) -> dict[str, str]:
        """Read the next text message, passing over input."""
        while (message := self.message()) is not None:
            if message[0] == 1:
                told: dict[str, str] = json.loads(message[1])
                return told
        return {"type": "gone"}

    def stdin(self) -> bytes:
        """Read all input until its end."""
        got = b""
        while (message := self.message()) is not None:
            opcode, data = message
            if opcode == 1:
                assert json.loads(data) == {"type": "eof"}
                return got
            got += data
            self.say("stdin", taken=len(got))
        return got


Attached = Callable[[Peer], None]


@dataclass
class Script:
    """Answers by "METHOD /path" (without its query), and what an attached execution does."""

    answers: dict[str, Answer] = field(default_factory=dict)
    attached: Attached = lambda peer: peer.exit()

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        usual = {"GET /v1/health": Answer(HEALTH), "POST /v1/runs": Answer(RUN, 201)}
        key = f"{request.method} {request.target.partition('?')[0]}"
        return {**usual, **self.answers}.get(key, problem("internal", f"no script for {key}", 500))


class ScriptedDaemon:
    """Listens at `path` and plays `script` to every connection."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []
        self._peers: list[socket.socket] = []

    @property
    def url(self) -> str:
        """What --host takes."""
        return f"unix://{self.path}"

    def sent(self, method: str, path: str) -> Request:
        """Return the one request of this kind."""
        (found,) = [
            request
            for request in self.requests
            if request.method == method and request.target.partition("?")[0] == path
        ]
        return found

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self.path.unlink()
        assert not self.failures, self.failures

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(sock)
            self._start(lambda sock=sock: self._serve(Peer(sock)))  # type: ignore[misc]

    def _serve(self, peer: Peer) -> None:
        try:
            while (request := peer.request()) is not None:
                self.requests.append(request)
                scripted_answer = self.script.answer(request).status < 500
                if request.headers.get("upgrade") and not scripted_answer:
                    peer.upgrade(request)
                    self.script.attached(peer)
                    return
                peer.socket.sendall(self.script.answer(request).bytes())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client left, as some tests want
        except (AssertionError, ValueError, KeyError) as error:
            self.failures.append(error)
        finally:
            peer.close()


@contextmanager
def scripted(folder: Path, script: Script | None = None) -> Iterator[ScriptedDaemon]:
    """Return a scripted daemon that listens in `folder`."""
    with ScriptedDaemon(folder / "d.sock", script or Script()) as daemon:
        yield daemon
