"""One request to a registry's upstream and its answer, as bytes.

In: a Want, fields of credentials; pieces of the answer. Out: the request, built anew; the answer's
head, its payload, its end. Never: another field of the sandbox's request, a body but the grant's
own, a repair, an answer's body that is unpacked, or an exception other than MalformedError.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cleanroom.gateway.http1.bodies import Body, Spans, body_of
from cleanroom.gateway.http1.heads import (
    Delimiter,
    HeadReader,
    MalformedError,
    ResponseHead,
    parse_response,
)
from cleanroom.gateway.source import Answer, Want

MAX_INTERIM: Final = 8
# What of an answer's head may pass: nothing that sets state, routes or describes the hop.
PASSED: Final = frozenset(
    {
        "age", "cache-control", "content-encoding", "content-type", "etag", "last-modified",
        "location", "retry-after",
    }
)  # fmt: skip
_OURS: Final = (("User-Agent", "cleanroom"), ("Accept-Encoding", "identity"))
_VALUE: Final = re.compile(r"[\x20-\x7e]{1,1024}")


@dataclass(frozen=True, slots=True)
class Progress:
    """What a piece of the answer brought: its head, at most once; payload; its end."""

    answer: Answer | None
    payload: tuple[bytes, ...]
    is_done: bool


def encode_want(want: Want, credentials: Iterable[bytes] = ()) -> bytes:
    """Return the request, with `credentials` as further fields.

    A value that is no plain text is left out: it changes the form only.
    """
    mirror = want.mirror
    if want.stored is not None:
        fields = [("Host", want.stored.label), *_OURS, ("Accept", "*/*")]
        return _encode(want.method, want.stored.target, fields)
    fields = [
        ("Host", mirror.label if mirror is not None else want.host),
        *_OURS,
        ("Accept", want.accept if _VALUE.fullmatch(want.accept) else "*/*"),
    ]
    if _VALUE.fullmatch(want.if_none_match):
        fields.append(("If-None-Match", want.if_none_match))
    grant = want.grant
    if grant.protocol:
        fields.append(("Git-Protocol", grant.protocol))
    if grant.body:
        fields.append(("Content-Type", "application/x-git-upload-pack-request"))
        fields.append(("Content-Length", str(len(grant.body))))
    target = mirror.path_of(grant.path) if mirror is not None else grant.path
    return _encode(want.method, target, fields, credentials) + grant.body


def _encode(
    method: str, target: str, fields: Iterable[tuple[str, str]], credentials: Iterable[bytes] = ()
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return b"\r\n".join([*(line.encode("ascii") for line in lines), *credentials, b"", b""])


class Exchange:
    """Reads the answer to one request."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._heads = HeadReader(responses=True)
        self._head: ResponseHead | None = None
        self._body: Body | None = None
        self._interim = 0
        self.is_done = False
        self.has_begun = False  # a byte of it has come
        self.is_reusable = False  # another request may follow on the connection

    def feed(self, data: bytes) -> Progress:
        """Take a piece. Raises MalformedError; bytes after the end are one too many."""
        self.has_begun = True
        answer: Answer | None = None
        payload: list[bytes] = []
        position = 0
        while position < len(data):
            if self.is_done:
                message = "bytes follow the end of the answer"
                raise MalformedError(message)
            if self._body is None:
                raw, position = self._heads.read(data, position)
                answer = answer if raw is None else self._begin(raw)
            else:
                spans: Spans = []
                position = self._body.read(data, position, spans)
                payload += [data[start:end] for start, end in spans]
            self._look()
        return Progress(answer, tuple(payload), self.is_done)

    def end(self, *, is_torn: bool) -> bool:
        """Take the end of the connection; tell whether the answer may end there."""
        self.is_done = self.is_done or (
            self._body is not None and not is_torn and self._body.close()
        )
        return self.is_done

    def _begin(self, raw: bytes) -> Answer | None:
        head = parse_response(raw, self._method)
        if head.interim:
            self._refuse_interim(head)
            return None
        self._head = head
        self._body = body_of(head.framing)
        fields = tuple((name, value) for name, value in head.fields if name in PASSED)
        return Answer(head.status, fields, _length(head, self._method))

    def _refuse_interim(self, head: ResponseHead) -> None:
        self._interim += 1
        if head.status == 101 or self._interim > MAX_INTERIM:
            message = "it switches protocols, or never comes to its answer"
            raise MalformedError(message)

    def _look(self) -> None:
        if self._head is not None and self._body is not None and self._body.done:
            self.is_done = True
            self.is_reusable = self._head.persistent


def _length(head: ResponseHead, method: str) -> int | None:
    """Return how long the body is, or for HEAD would be."""
    if method == "HEAD":
        said = dict(head.fields).get("content-length", "")
        return int(said) if said.isdecimal() and len(said) < 16 else None
    return head.framing.length if head.framing.delimiter is Delimiter.LENGTH else None
