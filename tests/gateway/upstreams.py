"""An upstream that a test scripts, and takers that remember."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cleanroom.decide.artifact import Grant
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer, Served, Taker, Want

HOST = "npm.example"


def sha256(data: bytes) -> str:
    """Return a digest as pins write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sha512(data: bytes) -> str:
    """Return a digest as pins write it."""
    return f"sha512:{hashlib.sha512(data).hexdigest()}"


def artifact(data: bytes | None, **changes: object) -> Grant:
    """Return a grant of ms 2.1.3, pinned to `data`; None: not pinned to any bytes."""
    digests = () if data is None else (sha512(data),)
    strength = "first-seen" if data is None else "lockfile"
    return Grant(
        "npm", "artifact", "/ms/-/ms-2.1.3.tgz", "ms", "2.1.3", "ms-2.1.3.tgz",
        digests, strength, "package-lock.json:12", sites=(HOST,), **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def page(**changes: object) -> Grant:
    """Return a grant of the page of ms."""
    return Grant(
        "npm", "metadata", "/ms", "ms", has_versions=True, sites=(HOST,), **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def want(grant: Grant, sandbox: str = "sbx-a", **changes: object) -> Want:
    """Return a Want of it."""
    return Want(sandbox, HOST, grant, **changes)  # type: ignore[arg-type]


@dataclass
class Reply:
    """What the upstream does with one request."""

    body: bytes = b""
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    length: int | None = -1  # -1: the right one
    cut: bool = False  # it fails after the body
    down: bool = False  # it cannot be reached
    is_held: bool = False  # it ends when the test says so
    sender: str = ""  # a redirect led there


@dataclass
class Asked:
    """One request that came in."""

    want: Want
    taker: Taker
    is_cancelled: bool = False
    is_begun: bool = False
    finish: Callable[[], None] = field(default=lambda: None)

    def pause(self) -> None:
        """Implement Fetching."""

    def resume(self) -> None:
        """Implement Fetching."""

    def cancel(self) -> None:
        """Implement Fetching."""
        self.is_cancelled = True


class Upstream:
    """Implements Source: each path has replies, the last of which stays."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.replies: dict[str, deque[Reply]] = {}
        self.asked: list[Asked] = []

    def answers(self, path: str, *replies: Reply) -> None:
        """Answer so from now on."""
        self.replies[path] = deque(replies)

    def fetch(self, want: Want, taker: Taker) -> Asked:
        """Implement Source."""
        asked = Asked(want, taker)
        self.asked.append(asked)
        replies = self.replies.get(want.grant.path, deque([Reply(b"none", 404)]))
        reply = replies.popleft() if len(replies) > 1 else replies[0]
        self.reactor.soon(lambda: self._begin(asked, reply))
        return asked

    def _begin(self, asked: Asked, reply: Reply) -> None:
        if asked.is_cancelled:
            return
        if reply.down:
            asked.taker.failed(Deny(Code.UPSTREAM_UNREACHABLE, f"{HOST} is down"))
            return
        length = len(reply.body) if reply.length == -1 else reply.length
        asked.taker.begun(Answer(reply.status, reply.fields, length, reply.sender))
        _send(asked, reply.body)

        def finish() -> None:
            if asked.is_cancelled:
                return
            if reply.cut:
                asked.taker.failed(Deny(Code.UPSTREAM_UNREACHABLE, f"{HOST} went away"))
            else:
                asked.taker.ended(Served())

        asked.finish = finish
        asked.is_begun = True
        if not reply.is_held:
            self.reactor.soon(finish)


def _send(asked: Asked, body: bytes) -> None:
    half = len(body) // 2
    for part in (body[:half], body[half:]):
        if part and not asked.is_cancelled:
            asked.taker.more(part)


class Taken:
    """A Taker that remembers."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.body = b""
        self.served: Served | None = None
        self.deny: Deny | None = None

    @property
    def is_over(self) -> bool:
        """Whether it ended, one way or the other."""
        return self.served is not None or self.deny is not None

    def begun(self, answer: Answer) -> None:
        """Implement Taker."""
        assert self.answer is None
        self.answer = answer

    def more(self, data: bytes) -> None:
        """Implement Taker."""
        assert self.answer is not None
        assert not self.is_over
        self.body += data

    def ended(self, served: Served) -> None:
        """Implement Taker."""
        assert not self.is_over
        self.served = served

    def failed(self, deny: Deny) -> None:
        """Implement Taker."""
        assert not self.is_over
        self.deny = deny
