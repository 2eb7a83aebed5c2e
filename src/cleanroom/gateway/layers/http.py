"""HTTP: each request of a connection is judged, reported and only then passed on.

In: events of gateway/wire.py. Out: commands. Never: a byte of a request upstream before its
verdict is an allow and is reported; a request the codec finds ambiguous; CONNECT; an upgrade but
a WebSocket that the connection's custody can search.

Messages pass as they came, since nothing that two readers could understand differently is let
through. Requests may be pipelined: they go upstream at once, each after its own report, and a
denial waits its turn behind the answers of the requests before it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, assert_never

from msgspec.structs import replace

from cleanroom.decide.http import decide_host_header
from cleanroom.decide.model import Deny, Verdict
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.http1.bodies import Body, Spans, body_of
from cleanroom.gateway.http1.heads import (
    HeadReader,
    MalformedError,
    RequestHead,
    ResponseHead,
    parse_request,
    parse_response,
)
from cleanroom.gateway.layers.carriers import AnswerCarrier, Carrier, Verbatim
from cleanroom.gateway.layers.custody import Asked, Custody, Tunnel, Untouched
from cleanroom.gateway.layers.http_denial import (
    BAD_GATEWAY,
    BAD_REQUEST,
    denial_response,
    status_of,
)
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.layers.routing import names_second_host
from cleanroom.gateway.layers.websocket import accepts, expected_accept
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    Ended,
    Event,
    Expired,
    FetchEvent,
    Finish,
    Opened,
    Report,
    Send,
    Side,
    Target,
)
from cleanroom.policy.model import CompiledPolicy

MAX_WAITING: Final = 64  # requests without an answer yet
MAX_PATH: Final = 2048  # characters that are audited
_DEFAULT_PORTS: Final = {Protocol.HTTP: 80, Protocol.HTTPS: 443}  # of a Host without one


class _Stage(Enum):
    OPEN = auto()  # requests are read
    DIALLING = auto()  # the first request waits for its connection
    LAST = auto()  # answers are still passed on, but no further request is read
    OVER = auto()


@dataclass(frozen=True, slots=True)
class _First:
    """The request that made us dial, and all that came with and after its head."""

    request: RequestHead
    verdict: Verdict
    head: bytes
    rest: bytes


@dataclass(frozen=True, slots=True)
class Manner:
    """How its refusals are written, and what the audit calls what it asks for."""

    refusal: Callable[..., bytes] = denial_response
    artifact: str = ""


class HttpLayer:
    """One HTTP connection, plain or inside opened TLS; implements Layer of gateway/wire.py."""

    def __init__(
        self,
        policy: CompiledPolicy,
        target: Target,
        speech: Protocol = Protocol.HTTP,
        custody: Custody | None = None,
        manner: Manner = Manner(),
    ) -> None:
        self._policy = policy
        self._manner = manner
        self._target = target
        self._speech = speech
        self._custody = custody or Untouched()
        self._stage = _Stage.OPEN
        self._requests = HeadReader(responses=False)
        self._request_body: Body | None = None
        self._request_carrier: Carrier = Verbatim()
        self._is_last = False  # nothing may follow the request that is being passed on
        self._first: _First | None = None
        self._address = ""  # of the upstream; "" until it is connected
        self._waiting: deque[Asked] = deque()  # requests that have no answer yet
        self._answers = HeadReader(responses=True)
        self._answer: ResponseHead | None = None
        self._answer_body: Body | None = None
        self._answer_carrier: AnswerCarrier = Verbatim()
        self._switch = ""  # what a server has to say that accepts a WebSocket
        self._tunnel: Tunnel | None = None  # once it has
        self._refusal = b""  # our own answer, once those of `_waiting` are through

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        if self._stage is _Stage.OVER or isinstance(event, FetchEvent):
            return []  # nothing was fetched
        return self._react(event) if self._tunnel is None else self._through(self._tunnel, event)

    def _react(
        self, event: Opened | DataReceived | Dialled | DialFailed | Ended | Expired
    ) -> Sequence[Command]:
        commands: Sequence[Command] = ()
        match event:
            case DataReceived(side=Side.SANDBOX, data=data):
                commands = self._from_sandbox(data)
            case DataReceived(data=data):
                commands = self._from_upstream(data)
            case Dialled(address=address):
                commands = self._connected(address)
            case DialFailed(deny=deny, address=address):
                commands = self._not_connected(deny, address)
            case Ended(side=side, torn=torn):
                is_sandbox = side is Side.SANDBOX
                commands = self._sandbox_ended() if is_sandbox else self._upstream_ended(torn)
            case Expired():
                commands = () if self._is_busy() else self._over(Finish())
            case Opened():
                pass
            case _:
                assert_never(event)
        return commands

    # --- requests ----------------------------------------------------------------------------

    def _from_sandbox(self, data: bytes) -> list[Command]:
        commands: list[Command] = []
        position = 0
        try:
            while position < len(data) and self._stage is _Stage.OPEN:
                if self._request_body is not None:
                    start = position
                    spans: Spans = []
                    position = self._request_body.read(data, start, spans)
                    commands += self._carry_request(data, start, position, spans)
                    continue
                head, position = self._requests.read(data, position)
                if head is not None:
                    commands += self._judge(parse_request(head), head, data[position:])
        except MalformedError as error:
            commands += self._malformed_request(error)
        if self._switch and position < len(data):
            commands += self._over(Abort())  # nothing may follow before the answer is known
        return commands

    def _judge(self, request: RequestHead, head: bytes, rest: bytes) -> list[Command]:
        host = self._target.name or self._target.address
        verdict: Verdict = self._objection(request) or decide_host_header(
            self._policy, host, request.host, self._target.port, _DEFAULT_PORTS[self._speech]
        )
        verdict = self._custody.judge(request, head, verdict)
        if isinstance(verdict, Deny):
            return self._deny_request(verdict, request)
        if not self._address:
            self._stage = _Stage.DIALLING
            self._first = _First(request, verdict, head, rest)
            return [Dial()]
        return self._pass_on(request, verdict, head)

    def _objection(self, request: RequestHead) -> Deny | None:
        if request.method == "CONNECT":
            return _no_protocol("CONNECT asks for a tunnel, and there is none through a host")
        if request.upgrades and not self._may_switch(request):
            what = "the request asks to upgrade to another protocol (WebSocket, h2c)"
            return _no_protocol(f"{what}, which HTTP may not here")
        if names_second_host(request):
            reason = "the request names a second host in a forwarding field; leave it out"
            return Deny(Code.HOST_HEADER_MISMATCH, reason)
        if len(self._waiting) >= MAX_WAITING:
            reason = f"more than {MAX_WAITING} requests were sent without awaiting an answer"
            return Deny(Code.RESOURCE_LIMIT, reason)
        return None

    def _may_switch(self, request: RequestHead) -> bool:
        # Alone: all that follows is known to be frames.
        asks = "" if self._waiting else expected_accept(request)
        return asks != "" and self._custody.tunnel() is not None

    def _pass_on(self, request: RequestHead, verdict: Verdict, head: bytes) -> list[Command]:
        passage = self._custody.send(request, head)
        if isinstance(passage, Deny):
            return self._deny_request(passage, request)
        self._waiting.append(Asked(request.method, request.minor, not request.persistent))
        self._switch = expected_accept(request) if request.upgrades else ""
        self._request_body = body_of(request.framing)
        self._request_carrier = passage.carrier
        self._is_last = not request.persistent or request.upgrades
        report = Report(self._event(verdict, request))
        send = [Send(Side.UPSTREAM, passage.head)] if passage.head else []
        return [report, *send, *self._end_request()]

    def _deny_request(self, deny: Deny, request: RequestHead) -> list[Command]:
        smuggles = deny.code is Code.HOST_HEADER_MISMATCH and names_second_host(request)
        status = BAD_REQUEST if smuggles else status_of(deny)
        head_only = request.method == "HEAD"
        refusal = self._manner.refusal(deny, status=status, head_only=head_only)
        return [Report(self._event(deny, request)), *self._refuse(refusal)]

    def _carry_request(self, data: bytes, start: int, end: int, spans: Spans) -> list[Command]:
        done = self._request_body is not None and self._request_body.done
        carried = self._request_carrier.carry(data, start, end, spans, done=done)
        if isinstance(carried, Deny):
            report = Report(self._event(carried))
            is_answered = len(self._waiting) == (0 if self._answer is None else 1)
            if self._request_carrier.has_sent or is_answered:
                return [report, *self._over(Abort())]  # the upstream must not see an end
            self._request_body = None
            self._waiting.pop()
            return [report, *self._refuse(self._manner.refusal(carried, status=status_of(carried)))]
        send = [Send(Side.UPSTREAM, carried)] if carried else []
        return [*send, *self._end_request()]

    def _end_request(self) -> list[Command]:
        if self._request_body is None or not self._request_body.done:
            return []
        self._request_body = None
        if self._is_last:
            self._stage = _Stage.LAST
        return self._after_answer()  # it may have come before the request's last byte

    def _malformed_request(self, error: MalformedError) -> list[Command]:
        deny = _no_protocol(f"the request is not beyond doubt HTTP/1.1: {error}")
        report = Report(self._event(deny))
        if self._request_body is not None:
            # The upstream has the head and part of the body already: it must not see an end.
            return [report, *self._over(Abort())]
        return [report, *self._refuse(self._manner.refusal(deny, status=BAD_REQUEST))]

    def _refuse(self, refusal: bytes) -> list[Command]:
        self._refusal = refusal
        self._stage = _Stage.LAST
        return self._after_answer()

    # --- the upstream ------------------------------------------------------------------------

    def _connected(self, address: str) -> list[Command]:
        first = self._first
        if first is None:
            return self._over(Abort())
        self._first = None
        self._address = address
        self._stage = _Stage.OPEN
        commands = self._pass_on(first.request, first.verdict, first.head)
        return commands + self._from_sandbox(first.rest)

    def _not_connected(self, deny: Deny, address: str) -> list[Command]:
        request = self._first.request if self._first else None
        event = self._event(deny, request)
        head_only = request is not None and request.method == "HEAD"
        refusal = self._manner.refusal(deny, status=status_of(deny), head_only=head_only)
        report = Report(replace(event, address=address or event.address))
        return [report, *self._refuse(refusal)]

    def _from_upstream(self, data: bytes) -> list[Command]:
        commands: list[Command] = []
        position = 0
        try:
            while position < len(data) and self._stage is not _Stage.OVER:
                if self._answer_body is not None:
                    start = position
                    spans: Spans = []
                    position = self._answer_body.read(data, start, spans)
                    commands += self._carry_answer(data, start, position, spans)
                elif self._tunnel is not None:
                    rest = DataReceived(Side.UPSTREAM, data[position:])
                    return [*commands, *self._through(self._tunnel, rest)]
                elif self._waiting:
                    head, position = self._answers.read(data, position)
                    if head is not None:
                        commands += self._begin_answer(head)
                else:  # nobody asked: a server that says why it is about to close
                    return [*commands, *self._over(Finish())]
                commands += self._end_answer()
        except MalformedError as error:
            commands += self._malformed_answer(error)
        return commands

    def _begin_answer(self, head: bytes) -> list[Command]:
        asked = self._waiting[0]
        answer = parse_response(head, asked.method)
        if answer.status == 101 and not accepts(self._switch, answer):
            message = "it switches to another protocol, which nobody asked for"
            raise MalformedError(message)
        passage = self._custody.receive(asked, answer, head)
        if isinstance(passage, Deny):
            return self._deny_answer(passage)
        if answer.status == 101:
            self._tunnel = self._custody.tunnel()
        if not answer.interim:
            self._answer = answer
            self._answer_body = body_of(answer.framing)
            self._answer_carrier = passage.carrier
        return [Send(Side.SANDBOX, passage.head)]

    def _carry_answer(self, data: bytes, start: int, end: int, spans: Spans) -> list[Command]:
        done = self._answer_body is not None and self._answer_body.done
        carried = self._answer_carrier.carry(data, start, end, spans, done=done)
        return [Send(Side.SANDBOX, carried)] if carried else []

    def _end_answer(self) -> list[Command]:
        if self._answer is None or self._answer_body is None or not self._answer_body.done:
            return []
        persistent = self._answer.persistent
        self._answer = self._answer_body = None
        self._waiting.popleft()
        return self._after_answer() if persistent else self._over(Finish())

    def _after_answer(self) -> list[Command]:
        if self._stage is not _Stage.LAST or self._waiting:
            return []
        answer = [Send(Side.SANDBOX, self._refusal)] if self._refusal else []
        return [*answer, *self._over(Finish())]

    def _malformed_answer(self, error: MalformedError) -> list[Command]:
        reason = f"the server's answer is not beyond doubt HTTP/1.1: {error}"
        return self._deny_answer(_no_protocol(reason))

    def _deny_answer(self, deny: Deny) -> list[Command]:
        report = Report(self._event(deny))
        if self._answer_body is not None:
            return [report, *self._over(Abort())]  # the client must not take it for whole
        head_only = self._waiting[0].method == "HEAD"
        refusal = self._manner.refusal(deny, status=BAD_GATEWAY, head_only=head_only)
        return [report, Send(Side.SANDBOX, refusal), *self._over(Finish())]

    def _through(self, tunnel: Tunnel, event: Event) -> list[Command]:
        match event:
            case DataReceived(side=side, data=data):
                carried = tunnel.out(data) if side is Side.SANDBOX else tunnel.back(data)
                if isinstance(carried, Deny):
                    return [Report(self._event(carried)), *self._over(Abort())]
                return [Send(side.other, carried)] if carried else []
            case _:
                return self._over(Finish()) if isinstance(event, Ended) else []

    # --- ends --------------------------------------------------------------------------------

    def _sandbox_ended(self) -> list[Command]:
        if self._request_body is not None:
            return self._over(Abort())  # the upstream must not take the request for whole
        self._stage = _Stage.LAST
        return self._after_answer()

    def _upstream_ended(self, is_torn: bool) -> list[Command]:  # noqa: FBT001
        if self._answer_body is not None:
            is_whole = self._answer_body.close() and not is_torn
            rest = self._carry_answer(b"", 0, 0, []) if is_whole else []
            return [*rest, *self._over(Finish() if is_whole else Abort())]
        return self._over(Finish() if self._answers.is_empty else Abort())

    def _over(self, command: Command) -> list[Command]:
        self._stage = _Stage.OVER
        return [command]

    def _is_busy(self) -> bool:
        return bool(self._waiting) or self._stage is _Stage.DIALLING

    def _event(self, verdict: Verdict, request: RequestHead | None = None) -> NetworkEvent:
        artifact = self._manner.artifact
        event = verdict_event(self._target, self._speech, verdict, self._address, artifact=artifact)
        if request is None:
            return event
        path = self._custody.shown(request.target.partition("?")[0])[:MAX_PATH]
        return replace(event, method=request.method, path=path)


def _no_protocol(reason: str) -> Deny:
    return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
