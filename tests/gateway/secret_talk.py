"""A conversation on a connection that secrets may go to, or may not."""

import dataclasses
from dataclasses import dataclass, field

from cleanroom.decide.echo import Echoes, Word
from cleanroom.decide.foreign import Cookies
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Finder, Foreign, SecretRef
from cleanroom.errors import Code
from cleanroom.events import Protocol
from cleanroom.gateway.layers.bound import Bound
from cleanroom.gateway.layers.custody import Custody
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.wire import Target
from cleanroom.policy.model import SecretBinding
from tests.decide.policies import policy
from tests.gateway.talk import SANDBOX, UPSTREAM, Talk

VALUE = b"real-Value_0123456789"
PLACEHOLDER = "cleanroom_aaaaaaaaaaaaaaaaaaaaaaaa"
BINDING = SecretBinding("gh", "GH_TOKEN", ("a.test",))
REF = SecretRef(PLACEHOLDER, BINDING)
POLICY = policy("a.test:443,80")
AT = Target("a.test", "198.18.0.16", 443, 5)


@dataclass
class Keys:
    """Implements Keyring of decide/secret.py."""

    held: dict[SecretRef, bytes] = field(default_factory=lambda: {REF: VALUE})
    taken: list[tuple[SecretRef, object]] = field(default_factory=list)
    ended: Deny | None = None
    operators: dict[str, bytes] = field(default_factory=dict)
    cookies: Cookies = field(default_factory=Cookies)

    def of_operator(self, value_id: str) -> bytes | None:
        return self.operators.get(value_id)

    @property
    def found(self) -> Finder:
        return Finder(self.held)

    def take(self, ref: SecretRef, request: object) -> bytes | Deny:
        self.taken.append((ref, request))
        return self.held[ref] or Deny(Code.SECRET_UNAVAILABLE, "the secret is gone")

    def why_ended(self, host: str) -> Deny | None:
        assert host in ("a.test", "npm.test")
        return self.ended

    def echoes(self) -> Echoes:
        words = [Word(value, ref.placeholder.encode()) for ref, value in self.held.items()]
        words += [Word(value, b"***") for value in self.operators.values()]
        return Echoes(word for word in words if word.value)


def keys(value: bytes = VALUE, **binding: object) -> Keys:
    """Return a keyring of one secret that is bound like this."""
    bound = dataclasses.replace(BINDING, **binding)  # type: ignore[arg-type]
    return Keys({SecretRef(PLACEHOLDER, bound): value})


def bound(keyring: Keys, foreign: Foreign = Foreign.BLOCK) -> Bound:
    return Bound(keyring, AT, [ref.binding for ref in keyring.held], foreign)


class SecretTalk(Talk):
    """One HTTPS connection to a.test, as it is inside opened TLS."""

    def __init__(self, keyring: Keys | None = None, custody: Custody | None = None) -> None:
        self.keys = keyring or keys()
        inside = custody or bound(self.keys)
        super().__init__(AT, HttpLayer(POLICY, AT, Protocol.HTTPS, inside))

    def request(self, head: str, body: bytes = b"") -> bytes:
        """Send a request; return what went upstream of it."""
        before = len(self.sent(UPSTREAM))
        text = head.replace("$", PLACEHOLDER).replace("\n", "\r\n") + "\r\n\r\n"
        self.asks(text.encode() + body)
        return self.sent(UPSTREAM)[before:]

    def answer(self, data: bytes) -> bytes:
        """Send an answer; return what the sandbox got of it."""
        before = len(self.sent(SANDBOX))
        self.answers(data)
        return self.sent(SANDBOX)[before:]

    @property
    def codes(self) -> list[str]:
        return [event.code for event in self.reports]


GET = "GET /a?b=c HTTP/1.1\nHost: a.test"
POST = "POST /a HTTP/1.1\nHost: a.test"
IDENTITY = "\r\nAccept-Encoding: identity\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


def wire(text: str) -> bytes:
    """Return a head as it goes upstream."""
    return text.replace("\n", "\r\n").replace("$", VALUE.decode()).encode() + IDENTITY.encode()


def dechunked(data: bytes) -> bytes:
    """Read a body in chunks."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert data == b"\r\n"
            return body
        body, data = body + data[:length], data[length + 2 :]
