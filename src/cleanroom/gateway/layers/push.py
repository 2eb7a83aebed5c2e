"""A push to a git repository: judged by what stands before its pack, then passed on as it comes.

In: a request that decide/artifact.py grants, events of gateway/wire.py. Out: commands. Never: a
byte upstream before every ref of the push may be changed and that is reported; a part of a push;
the client's other fields; another request on the connection.

A refusal is git's own report, so that git prints it with its refs. It is sent when the body has
ended: until then clients do not read, and a closed connection would hide it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from cleanroom.decide.ancestry import MAX_PACK
from cleanroom.decide.artifact import BAD_REQUEST, Grant, Refusal
from cleanroom.decide.model import Deny
from cleanroom.decide.push import Pass, PushJudge, Refused, short
from cleanroom.decide.push_commands import Commands
from cleanroom.decide.secret import violation
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.http1.bodies import Spans, body_of
from cleanroom.gateway.http1.heads import NO_BODY, MalformedError, RequestHead
from cleanroom.gateway.http1.write import encode_response, printable
from cleanroom.gateway.layers.carriers import Lookout
from cleanroom.gateway.layers.custody import Custody
from cleanroom.gateway.layers.http import HttpLayer, Manner
from cleanroom.gateway.layers.http_denial import plain_denial
from cleanroom.gateway.layers.lending import Lending
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.layers.slots import fields_of
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Ended,
    Event,
    Expired,
    Finish,
    Hold,
    Report,
    Send,
    Side,
    Target,
)
from cleanroom.policy.model import CompiledPolicy, PushRules
from cleanroom.policy.patterns import covered

MAX_DRAINED: Final = 64 * 1024 * 1024  # bytes of a refused push that are awaited
MAX_LABEL: Final = 256  # characters
_MAX_RAW: Final = 2 * MAX_PACK  # with the sizes of chunks
_REPORTS: Final = ("report-status", "report-status-v2")
_KEPT: Final = frozenset(
    {"host", "authorization", "accept", "content-type", "content-length", "transfer-encoding"}
)
_TYPE: Final = "application/x-git-receive-pack-request"
_RESULT: Final = "application/x-git-receive-pack-result"


@dataclass(frozen=True, slots=True)
class Pushing:
    """One request of a push. `label` is what the audit calls it: the repository, and its refs."""

    request: RequestHead
    head: bytes
    rules: PushRules
    name: str

    def label(self, asked: Commands | None) -> str:
        """Return the repository and the refs that are to be changed."""
        refs = [short(command.ref) for command in asked.commands] if asked else []
        return f"{self.name} {' '.join(refs)}".strip()[:MAX_LABEL]


class _Stage(Enum):
    COLLECTING = auto()
    DRAINING = auto()  # it was refused; the client still sends
    OVER = auto()


def pushing(
    policy: CompiledPolicy,
    target: Target,
    custody: Custody,
    granted: tuple[RequestHead, Grant, bytes],
) -> "PushLayer | Refusal":
    """Return what takes the connection over, or why the request is refused at once."""
    request, grant, head = granted
    name = grant.name.removesuffix(".git")
    rules = None
    if isinstance(custody, Lending):
        scopes = [each.git for each in custody.bindings(request, head) if each.git is not None]
        rules = next((each.push for each in scopes if covered(each.repositories, name)), None)
    if rules is None or not isinstance(custody, Lending):
        reason = "it has no credential of a secret that may push there"
        return _refusal(grant, Code.PUSH_NOT_ALLOWED, reason)
    if request.target != grant.path:
        return _refusal(grant, Code.PROTOCOL_NOT_ALLOWED, "its path has escapes", BAD_REQUEST)
    fields = dict(request.fields)
    if request.method == "POST" and fields.get("content-type", "").lower() != _TYPE:
        return _refusal(grant, Code.PROTOCOL_NOT_ALLOWED, f"its content is no {_TYPE}", BAD_REQUEST)
    if fields.get("content-encoding", "identity").lower() != "identity":
        return _refusal(grant, Code.PROTOCOL_NOT_ALLOWED, "it is packed as a whole")
    if request.method == "POST" and request.framing == NO_BODY:
        return _refusal(grant, Code.PROTOCOL_NOT_ALLOWED, "it has no body", BAD_REQUEST)
    return PushLayer(policy, target, custody, Pushing(request, _rewritten(head), rules, grant.name))


def report_of(asked: Commands, refused: Refused) -> bytes:
    """Return the answer that git reads as the server's report: none of the refs was changed."""
    deny = refused.deny
    lines = [b"unpack ok\n"]
    for command in asked.commands:
        reason = refused.why.get(command.ref, "the push is refused as a whole")
        lines.append(f"ng {command.ref} {printable(f'{deny.code}: {reason}', 300)}\n".encode())
    report = b"".join([*map(_packet, lines), b"0000"])
    if "side-band-64k" in asked.able:
        said = f"{printable(f'{deny.code}: {deny.reason}')}\n".encode()
        report = b"".join([_packet(b"\x02" + said), _packet(b"\x01" + report), b"0000"])
    fields = (("Content-Type", _RESULT), ("Cache-Control", "no-cache"))
    return encode_response(200, "OK", fields, report, head_only=False)


class PushLayer:
    """The rest of a connection, from the request on; implements Layer. `begin` it once."""

    def __init__(
        self, policy: CompiledPolicy, target: Target, custody: Lending, pushed: Pushing
    ) -> None:
        self._policy = policy
        self._target = target
        self._custody = custody
        self._pushed = pushed
        self._body = body_of(pushed.request.framing)
        self._raw = bytearray()  # of the body, as it came
        self._judge = PushJudge(pushed.name, pushed.rules)
        self._lookout = Lookout(custody.found)
        self._stage = _Stage.COLLECTING
        self._passed: HttpLayer | None = None
        self._answer = b""  # of a refusal, when the body has ended
        self._drained = 0

    def begin(self, rest: bytes) -> list[Command]:
        """Take what came behind the head."""
        if self._pushed.request.method != "POST":
            return self._pass_on(None)
        return self._collect(rest)

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        if self._passed is not None:
            return self._passed.handle(event)
        match event:
            case _ if self._stage is _Stage.OVER:
                return []
            case DataReceived(side=Side.SANDBOX, data=data):
                is_collecting = self._stage is _Stage.COLLECTING
                return self._collect(data) if is_collecting else self._drain(data)
            case Expired() if self._stage is _Stage.DRAINING:
                return []  # it is slow, and costs nothing but its connection
            case Ended(side=Side.SANDBOX) | Expired():
                return self._over(*self._said(), Finish())
            case _:
                return self._over(Abort())  # there is no upstream yet

    # --- what is pushed ----------------------------------------------------------------------

    def _collect(self, data: bytes) -> list[Command]:
        spans: Spans = []
        try:
            end = self._body.read(data, 0, spans)
        except MalformedError as error:
            reason = f"the request is not beyond doubt HTTP/1.1: {error}"
            return self._refuse(Refused(Deny(Code.PROTOCOL_NOT_ALLOWED, reason)), BAD_REQUEST)
        self._raw += data[:end]
        payload = b"".join(data[start:stop] for start, stop in spans)
        deny = self._look(payload)
        if deny is not None:
            return self._refuse(Refused(deny))
        verdict = self._judge.feed(payload, is_whole=self._body.done)
        if isinstance(verdict, Pass):
            return self._pass_on(verdict.asked)
        if isinstance(verdict, Refused):
            return self._refuse(verdict)
        if len(self._raw) > _MAX_RAW:
            reason = f"the push to {self._pushed.name} comes in too small pieces"
            return self._refuse(Refused(Deny(Code.RESOURCE_LIMIT, reason)))
        # SECURITY: else one sandbox would fill the gateway's memory with pushes that never begin.
        return [Hold(end)] if end else []

    def _look(self, payload: bytes) -> Deny | None:
        ref = self._lookout.look(payload)
        return None if ref is None else violation(ref, f"in what is pushed to {self._pushed.name}")

    def _pass_on(self, asked: Commands | None) -> list[Command]:
        manner = Manner(plain_denial, self._pushed.label(asked))
        layer = HttpLayer(self._policy, self._target, Protocol.HTTPS, self._custody, manner)
        self._passed = layer
        data = self._pushed.head + bytes(self._raw)
        self._raw.clear()
        return list(layer.handle(DataReceived(Side.SANDBOX, data)))

    # --- refusals ----------------------------------------------------------------------------

    def _refuse(self, refused: Refused, status: int = 403) -> list[Command]:
        asked, deny = refused.asked, refused.deny
        if asked is not None and not asked.able.isdisjoint(_REPORTS):
            self._answer = report_of(asked, refused)
        else:
            self._answer = plain_denial(deny, status=status)
        held = [Hold(-len(self._raw))] if self._raw else []
        self._raw.clear()
        self._stage = _Stage.DRAINING
        commands: list[Command] = [Report(self._event(deny, asked)), *held]
        if self._body.done or status == BAD_REQUEST:
            commands += self._over(*self._said(), Finish())
        return commands

    def _drain(self, data: bytes) -> list[Command]:
        self._drained += len(data)
        try:
            self._body.read(data, 0)
        except MalformedError:
            return self._over(Abort())
        if self._body.done or self._drained > MAX_DRAINED:
            return self._over(*self._said(), Finish())
        return []

    def _said(self) -> list[Command]:
        return [Send(Side.SANDBOX, self._answer)] if self._answer else []

    def _event(self, deny: Deny, asked: Commands | None) -> NetworkEvent:
        request = self._pushed.request
        return verdict_event(
            self._target,
            Protocol.HTTPS,
            deny,
            method=request.method,
            path=request.target,
            artifact=self._custody.shown(self._pushed.label(asked)),
        )

    def _over(self, *commands: Command) -> list[Command]:
        self._stage = _Stage.OVER
        return list(commands)


def _rewritten(head: bytes) -> bytes:
    """Return a head without the client's other fields; nothing may follow what it asks."""
    lines = [head[: head.index(b"\r\n")]]
    lines += [head[each.start : each.end] for each in fields_of(head) if each.name in _KEPT]
    return b"\r\n".join([*lines, b"User-Agent: cleanroom", b"Connection: close", b"", b""])


def _refusal(grant: Grant, code: Code, why: str, status: int = 403) -> Refusal:
    reason = f"the push to {grant.name} is refused: {why}"
    return Refusal(Deny(code, reason), status, grant.name)


def _packet(text: bytes) -> bytes:
    return b"%04x%b" % (len(text) + 4, text)
