"""The conversation with a client of a registry: each request is a question that policy answers.

In: events of gateway/wire.py, plain bytes from inside opened TLS. Out: commands. Never: a byte of
the sandbox's request upstream, but for credentials that were judged (what is asked of a git host is
written anew); an answer before its verdict is an allow and is reported; an answer that was cut and
looks whole.

What is allowed is a Fetch: cache or upstream answer it, this layer frames the answer anew. One
request at a time; while it is answered the sandbox is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.http import decide_host_header
from cleanroom.decide.mirror import NO_MIRRORS
from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.upload_pack import advertised, decide_talk
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.http1.heads import NO_BODY, HeadReader, MalformedError, RequestHead
from cleanroom.gateway.http1.heads import parse_request as parse
from cleanroom.gateway.http1.write import answer_head
from cleanroom.gateway.layers.custody import Custody, Untouched
from cleanroom.gateway.layers.http import MAX_PATH
from cleanroom.gateway.layers.http_denial import BAD_REQUEST, status_of
from cleanroom.gateway.layers.lending import Lending, Search
from cleanroom.gateway.layers.push import PushLayer, pushing
from cleanroom.gateway.layers.report import Told, verdict_event
from cleanroom.gateway.layers.routing import names_second_host
from cleanroom.gateway.layers.upload import Upload, UploadError
from cleanroom.gateway.layers.visit import Visit
from cleanroom.gateway.source import Answer, Credential, Served, Want
from cleanroom.gateway.wire import (
    Abort,
    Begun,
    Command,
    DataReceived,
    Ended,
    Event,
    Expired,
    Fetch,
    Fetched,
    FetchEnded,
    FetchFailed,
    Finish,
    Hold,
    Opened,
    Pause,
    Report,
    Resume,
    Send,
    Side,
    Target,
)

_HTTPS_PORT: Final = 443


@dataclass(slots=True)
class _Asked:
    """The request that is being answered."""

    request: RequestHead
    grant: Grant
    answer: Answer | None = None
    head: bytes = b""  # what goes before the next bytes of the body
    sent: int = 0
    is_chunked: bool = False
    search: Search | None = None  # None: no value can be in its answer


class RegistryLayer:
    """One connection to a host of a registry; implements Layer."""

    def __init__(
        self, visit: Visit, target: Target, allow: Allow, custody: Custody | None = None
    ) -> None:
        self._visit = visit
        self._custody = custody or Untouched()
        self._target = target
        self._allow = allow
        self._heads = HeadReader(responses=False)
        self._rest = b""  # what came after the head of the request that is being answered
        self._upload: tuple[Upload, Grant, bytes] | None = None  # a body to be judged, its head
        self._asked: _Asked | None = None
        self._right_host: str | None = None  # a Host field that was found right
        self._push: PushLayer | None = None  # it has the connection
        self._is_last = False  # nothing may follow this answer
        self._is_over = False

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        if self._push is not None or self._is_over:
            return [] if self._push is None else self._push.handle(event)
        match event:
            case DataReceived(side=Side.SANDBOX, data=data):
                self._rest += data
                return self._read()
            case Ended(side=Side.SANDBOX) | Expired():
                self._is_last = True
                return [] if self._asked else self._over(Finish())
            case Begun() | Fetched() | FetchEnded() | FetchFailed():
                return self._fetching(event)
            case Opened():
                return []
            case _:
                return self._over(Abort())  # there is no upstream on this connection

    # --- the request -------------------------------------------------------------------------

    def _read(self) -> list[Command]:
        if self._asked is not None:
            return []
        try:
            if self._upload is not None:
                return self._collect(*self._upload)
            raw, position = self._heads.read(self._rest)
            self._rest = self._rest[position:]
            return [] if raw is None else self._judge(parse(raw), raw)
        except MalformedError as error:
            reason = f"the request is not beyond doubt HTTP/1.1: {error}"
            return self._refuse(Refusal(_no_protocol(reason), BAD_REQUEST), None)

    def _judge(self, request: RequestHead, raw: bytes) -> list[Command]:
        refusal = self._objection(request) or self._violation(request, raw)
        if refusal is not None:
            return self._refuse(refusal, request)
        verdict = self._visit.judge(self._target.name, request)
        if isinstance(verdict, Refusal):
            return self._refuse(verdict, request)
        if verdict.kind == "push":
            return self._hand_over(request, verdict, raw)
        if verdict.kind == "talk":
            upload = Upload(request)
            self._upload = (upload, verdict, raw)
            return self._collect(upload, verdict, raw)
        if verdict.manager == "git":
            verdict = advertised(verdict, dict(request.fields).get("git-protocol", ""))
        return self._grant(request, verdict, raw)

    def _collect(self, upload: Upload, grant: Grant, raw: bytes) -> list[Command]:
        """Take what has come of the body; judge it when that is all."""
        request, before = upload.request, upload.size
        try:
            self._rest = upload.read(self._rest)
            if not upload.is_whole:
                # SECURITY: else one sandbox would fill the gateway's memory with half bodies.
                return [Hold(upload.size - before)]
            verdict = self._judge_body(request, grant, upload.take())
        except UploadError as error:
            deny = Deny(Code.RESOURCE_LIMIT, f"the body of the request is refused: {error}")
            verdict = Refusal(deny, label=grant.name)
        self._upload = None
        if isinstance(verdict, Refusal):
            return self._refuse(verdict, request)
        return self._grant(request, verdict, raw)

    def _judge_body(self, request: RequestHead, grant: Grant, body: bytes) -> Grant | Refusal:
        deny = self._custody.found_in(request, body)
        return decide_talk(grant, body) if deny is None else Refusal(deny, label=grant.name)

    def _hand_over(self, request: RequestHead, grant: Grant, raw: bytes) -> list[Command]:
        """Leave the connection to a push: nothing of that is fetched, and nothing follows it."""
        pushed = pushing(self._visit.policy, self._target, self._custody, (request, grant, raw))
        if isinstance(pushed, Refusal):
            return self._refuse(pushed, request)
        rest, self._rest, self._push = self._rest, b"", pushed
        return pushed.begin(rest)

    def _grant(self, request: RequestHead, grant: Grant, raw: bytes) -> list[Command]:
        visit = self._visit
        fields = dict(request.fields) if request.method != "POST" else {}
        want = Want(
            visit.sandbox_id,
            self._target.name,
            grant,
            accept=fields.get("accept", ""),
            method=request.method,
            range="" if "if-range" in fields else fields.get("range", ""),  # the whole is right
            if_none_match=fields.get("if-none-match", ""),
            offline=visit.offline,
        )
        search: Search | None = None
        lent: Credential | Deny | None = None
        if isinstance(self._custody, Lending):
            lent = self._custody.lend(request, raw, grant.path) or self._custody.silence()
            search = self._custody.search(grant)
        mirroring = visit.mirroring
        mirrors = mirroring.of(grant.sites) if mirroring is not None else NO_MIRRORS
        if mirroring is not None and mirrors and not isinstance(lent, Deny):
            lent = mirroring.lend(grant, mirrors, self._target.name, lent)
            search = search or mirroring.search(grant, mirrors)
        if isinstance(lent, Deny):
            return self._refuse(Refusal(lent, label=grant.label), request)
        want = replace(want, credential=lent, mirrors=mirrors)
        if search is not None:
            # What is searched is had whole, and nothing says what its bytes were.
            want = replace(want, range="", if_none_match="")
        self._asked = _Asked(request, grant, search=search)
        self._is_last = self._is_last or not request.persistent
        told = self._told(request, grant)
        told["reason"] = visit.warning(self._target.name, grant)
        event = verdict_event(self._target, Protocol.HTTPS, self._allow, **told)
        return [Pause(Side.SANDBOX), Report(event), *_held(len(grant.body)), Fetch(want)]

    def _violation(self, request: RequestHead, raw: bytes) -> Refusal | None:
        verdict = self._custody.judge(request, raw, self._allow)
        return Refusal(verdict) if isinstance(verdict, Deny) else None

    def _objection(self, request: RequestHead) -> Refusal | None:
        target = self._target
        if request.host != self._right_host:
            verdict = decide_host_header(
                self._visit.policy, target.name, request.host, target.port, _HTTPS_PORT
            )
            if isinstance(verdict, Deny):
                return Refusal(verdict)
            self._right_host = request.host
        if names_second_host(request):
            reason = "the request names a second host in a forwarding field; leave it out"
            return Refusal(Deny(Code.HOST_HEADER_MISMATCH, reason), BAD_REQUEST)
        if request.upgrades or request.method == "CONNECT":
            return Refusal(_no_protocol("a registry is asked in HTTP/1.1, without an upgrade"))
        if request.method in ("GET", "HEAD") and request.framing != NO_BODY:
            return Refusal(_no_protocol("a request that reads has no body"), BAD_REQUEST)
        return None

    def _refuse(self, refusal: Refusal, request: RequestHead | None) -> list[Command]:
        deny, status = refusal.deny, refusal.status
        answer = self._visit.denial(self._target.name, request, deny, status)
        told = self._told(request, None)
        told["artifact"] = refusal.label
        report = Report(verdict_event(self._target, Protocol.HTTPS, deny, **told))
        return [report, Send(Side.SANDBOX, answer), *self._over(Finish())]

    # --- the answer --------------------------------------------------------------------------

    def _fetching(self, event: Begun | Fetched | FetchEnded | FetchFailed) -> list[Command]:
        asked = self._asked
        if asked is None:
            return self._over(Abort())
        match event:
            case Begun(answer=answer):
                return self._begin(asked, answer)
            case Fetched(data=data):
                return self._pass(asked, data if asked.search is None else asked.search.feed(data))
            case FetchEnded(served=served):
                rest = b"" if asked.search is None else asked.search.end()
                passed = self._pass(asked, rest)
                return passed if isinstance(rest, Deny) else [*passed, *self._end(asked, served)]
            case FetchFailed(deny=deny):
                return self._fail(asked, deny)
            case _:
                assert_never(event)

    def _pass(self, asked: _Asked, data: bytes | Deny) -> list[Command]:
        if isinstance(data, Deny):
            return self._fail(asked, data)
        if not data:
            return []
        asked.sent += len(data)
        return self._send(asked, _framed(data) if asked.is_chunked else data)

    def _send(self, asked: _Asked, data: bytes) -> list[Command]:
        head, asked.head = asked.head, b""
        data = head + data if head else data
        return [Send(Side.SANDBOX, data)] if data else []

    def _begin(self, asked: _Asked, said: Answer) -> list[Command]:
        answer = said if asked.search is None else asked.search.begin(said)
        if isinstance(answer, Deny):
            return self._fail(asked, answer)
        asked.answer = answer
        has_body = _has_body(asked.request, answer)
        asked.is_chunked = has_body and answer.length is None and asked.request.minor == 1
        if has_body and answer.length is None and not asked.is_chunked:
            self._is_last = True  # HTTP/1.0: its end is the connection's
        length = None if asked.is_chunked or answer.status in (204, 304) else answer.length
        asked.head = answer_head(
            answer.status, answer.fields, length, asked.is_chunked, self._is_last
        )
        return [] if has_body else self._send(asked, b"")  # else with the body's first bytes

    def _end(self, asked: _Asked, served: Served) -> list[Command]:
        answer = asked.answer
        is_whole = answer is not None and (
            not _has_body(asked.request, answer) or answer.length in (None, asked.sent)
        )
        if not is_whole:
            return self._over(Abort())
        self._asked = None
        last = self._send(asked, b"0\r\n\r\n" if asked.is_chunked else b"")
        report = Report(self._served(asked, served))
        last += _held(-len(asked.grant.body))
        if self._is_last:
            return [*last, report, *self._over(Finish())]
        return [*last, report, Resume(Side.SANDBOX), *(self._read() if self._rest else [])]

    def _fail(self, asked: _Asked, deny: Deny) -> list[Command]:
        if asked.answer is None:
            self._asked = None
            status = status_of(deny)
            return self._refuse(Refusal(deny, status, asked.grant.label), asked.request)
        # The client must not take what it has for whole.
        told = self._told(asked.request, asked.grant)
        event = verdict_event(self._target, Protocol.HTTPS, deny, **told)
        return [Report(event), *self._over(Abort())]

    # --- reports -----------------------------------------------------------------------------

    def _served(self, asked: _Asked, served: Served) -> NetworkEvent:
        told = self._told(asked.request, asked.grant)
        told["phase"], told["bytes_in"] = "served", asked.sent
        told["through_proxy"] = served.through_proxy
        told["cache"], told["digest"] = served.cache, served.digest
        told["storage"] = served.storage
        return verdict_event(self._target, Protocol.HTTPS, self._allow, served.address, **told)

    def _told(self, request: RequestHead | None, grant: Grant | None) -> Told:
        told = _told_of(request, grant)
        if request is not None:
            told["path"] = self._custody.shown(request.target.partition("?")[0])[:MAX_PATH]
            told["registry"] = self._visit.manager(self._target.name, request.target)
        if self._visit.mirroring is not None:
            told["mirror"] = self._visit.mirroring.label(self._target.name)
        return told

    def _over(self, command: Command) -> list[Command]:
        self._is_over = True
        return [command]


def _told_of(request: RequestHead | None, grant: Grant | None) -> Told:
    """Say what was asked for, which artifact it is about, and what that is held to."""
    told: Told = {}
    if request is not None:
        told["method"] = request.method
    if grant is not None:
        told["artifact"] = grant.name
    if grant is not None and grant.kind == "artifact":
        told["artifact"] = grant.label
        told["strength"], told["pin"] = grant.strength, grant.pin
    return told


def _held(size: int) -> list[Command]:
    """SECURITY: what is asked with is there until the answer is over, which the sandbox delays."""
    return [Hold(size)] if size else []


def _has_body(request: RequestHead, answer: Answer) -> bool:
    return request.method != "HEAD" and answer.status not in (204, 304)


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _no_protocol(reason: str) -> Deny:
    return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
