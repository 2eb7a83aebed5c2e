"""An Upstream turned by hand, and servers of TLS that it asks."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.ca import upstream_context
from cleanroom.gateway.dialer import Cancellable, Dialling, Failed, Reached
from cleanroom.gateway.places import place_of
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.resolver import Resolver
from cleanroom.gateway.source import Answer, Served, Want
from cleanroom.gateway.upstream import Upstream
from cleanroom.gateway.wire import Target
from tests.gateway.certificates import authority, server
from tests.gateway.world import nobody_asks, turn_until

HOSTS = ("npm.test", "files.test")
GRANT = Grant("npm", "metadata", "/left-pad", name="left-pad")
WANT = Want("sbx_1", "npm.test", GRANT)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
BYE = b""  # close without a word


class Registry:
    """A server of TLS in a thread: each connection gets the next script, an answer a request."""

    def __init__(self, *scripts: tuple[bytes, ...], name: str = "npm.test") -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._scripts = list(scripts)
        self._context = server(name, *HOSTS)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.place = self._listening.getsockname()
        self._streams: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for stream in self._streams:
            stream.close()
        self._thread.join(30)

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            raw.settimeout(30)
            try:
                stream = self._context.wrap_socket(raw, server_side=True)
                self._streams.append(stream)
                self._answer(stream, script)
            except OSError:
                raw.close()

    def _answer(self, stream: ssl.SSLSocket, script: tuple[bytes, ...]) -> None:
        for answer in script:
            if answer == BYE:
                stream.close()
                return
            self.requests.append(stream.recv(65536))
            stream.sendall(answer)


@dataclass
class Taken:
    """A Taker that remembers."""

    answer: Answer | None = None
    body: bytes = b""
    served: Served | None = None
    deny: Deny | None = None

    def begun(self, answer: Answer) -> None:
        assert self.answer is None
        self.answer = answer

    def more(self, data: bytes) -> None:
        self.body += data

    def ended(self, served: Served) -> None:
        self.served = served

    def failed(self, deny: Deny) -> None:
        self.deny = deny

    @property
    def is_over(self) -> bool:
        return self.served is not None or self.deny is not None


@dataclass
class Doors:
    """Implements Doors; every host is at `place` that is not in `others`."""

    reactor: Reactor
    place: tuple[str, int] = ("127.0.0.1", 1)
    others: dict[str, tuple[str, int]] = field(default_factory=dict)
    known: set[str] = field(default_factory=lambda: {"sbx_1", "sbx_2"})
    upstream_tls: ssl.SSLContext = field(
        default_factory=lambda: upstream_context(authority(*HOSTS).certificate)
    )

    def dial_registry(
        self, want: Want, done: Callable[[Reached | Failed], None]
    ) -> Cancellable | None:
        assert want.host in HOSTS
        if want.sandbox_id not in self.known:
            return None
        place = self.others.get(place_of(want).host, self.place)
        dialling = Dialling(self.reactor, Target("", *place, 0), lambda _: None, done)
        dialling.start(want.sandbox_id, Resolver(self.reactor, nobody_asks))
        return dialling

    def judge_redirect(self, want: Want, host: str, target: str) -> Grant | Refusal:
        if host not in HOSTS:
            return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, f"{host} is no registry"))
        own = "/own" if target.startswith("/own/") else ""  # a site of its own
        name = target.removeprefix(own).strip("/").lower()
        return replace(want.grant, path=target, name=name, prefix=own)


class Scene:
    """An Upstream, turned by hand."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.doors = Doors(self.reactor)
        self.upstream = Upstream(self.doors)
        self.registries: list[Registry] = []

    def serve(self, *scripts: tuple[bytes, ...], name: str = "npm.test") -> Registry:
        registry = Registry(*scripts, name=name)
        self.registries.append(registry)
        self.doors.place = registry.place
        return registry

    def fetch(self, want: Want = WANT) -> Taken:
        taken = Taken()
        self.upstream.fetch(want, taken)
        turn_until(self.reactor, lambda: taken.is_over)
        return taken
