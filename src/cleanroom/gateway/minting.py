"""Tokens minted at the endpoint that a binding names, and renewed until nobody wants them.

In: a binding, what its tokens are minted with. Out: tokens, or why there is none. Never: a redirect
followed; an endpoint whose address was not judged, or whose certificate does not name it; a byte of
what was minted with, or of a token, in an event or a reason.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cleanroom.decide.address import Guard, judge_address
from cleanroom.decide.match import Address
from cleanroom.decide.model import Deny
from cleanroom.decide.oauth2 import Minted, read_answer, token_request
from cleanroom.decide.secret import SecretRef
from cleanroom.events import NetworkEvent
from cleanroom.events import Protocol as Speech
from cleanroom.gateway.dialer import Cancellable, Failed, Reached
from cleanroom.gateway.endpoint import BrokenError
from cleanroom.gateway.http1.heads import MalformedError
from cleanroom.gateway.layers.exchange import Exchange
from cleanroom.gateway.layers.tls_session import TlsError
from cleanroom.gateway.line import Line
from cleanroom.gateway.places import Place
from cleanroom.gateway.reactor import Reactor, Timer
from cleanroom.gateway.vault import SandboxSecrets, Secret, why_unfit
from cleanroom.gateway.wire import Target
from cleanroom.policy.model import OAuth2, SecretBinding

ANSWER_S: Final = 20.0  # from the question to the last byte of the answer
MOST_ANSWER: Final = 256 * 1024
SOONEST_S: Final = 30.0  # before another token is asked for
EARLY: Final = 0.8  # of a token's time: then it is renewed

Told = Callable[[Minted | str], None]
Answer = Callable[[SecretRef | str], None]


class Surroundings(Protocol):
    """What minting needs of the gateway."""

    @property
    def reactor(self) -> Reactor: ...

    @property
    def guard(self) -> Guard: ...

    @property
    def upstream_tls(self) -> ssl.SSLContext: ...

    def write(self, sandbox_id: str, event: NetworkEvent, written: Callable[[], None]) -> None:
        """Have the daemon write one event; `written` is called when it has."""
        ...

    def dial(
        self,
        sandbox_id: str,
        target: Target,
        judge: Callable[[Address], Deny | None],
        done: Callable[[Reached | Failed], None],
    ) -> Cancellable:
        """Begin to connect to a target."""
        ...


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose tokens, of which secret, and where they are made."""

    sandbox_id: str
    binding: SecretBinding
    at: OAuth2


class Asking:
    """One question to a token endpoint. `done` is called once, from a later turn."""

    def __init__(self, around: Surroundings, whose: Whose, request: bytes) -> None:
        self._around = around
        self._whose = whose
        self._request = request
        self._done: Told = _nothing
        self._cancellable: Cancellable | None = None
        self._line: Line | None = None
        self._exchange = Exchange("POST")
        self._status = 0
        self._body = b""
        self._is_over = self._is_asked = False
        self._timer = Timer(_never)

    def start(self, done: Told) -> None:
        """Report it, and ask when that is written."""
        self._done = done
        self._timer = self._around.reactor.later(ANSWER_S, self._late)
        self._around.write(self._whose.sandbox_id, self._event(), self._dial)

    def cancel(self) -> None:
        """Ask no more; nobody is told. Idempotent."""
        self._is_over = True
        self._timer.cancel()
        self._request = self._body = b""
        if self._cancellable is not None:
            self._cancellable.cancel()
        if self._line is not None:
            self._line.close()

    def _dial(self) -> None:
        if not self._is_over:
            target = Target(self._whose.at.host, "", self._whose.at.port, 0)
            sandbox_id = self._whose.sandbox_id
            self._cancellable = self._around.dial(sandbox_id, target, self._judge, self._dialled)

    def _judge(self, address: Address) -> Deny | None:
        return judge_address(self._around.guard, self._whose.at.host, address)

    def _dialled(self, outcome: Reached | Failed) -> None:
        self._cancellable = None
        if isinstance(outcome, Failed):
            self._deny(outcome.deny, outcome.address)
            return
        at = self._whose.at
        place = Place(self._whose.sandbox_id, at.host, at.port, is_of_operator=False)
        self._line = Line(self._around, place, outcome)
        self._line.serve(self._go_on)
        self._go_on()

    def _go_on(self) -> None:
        line = self._line
        if self._is_over or line is None:
            return
        try:
            self._exchange_bytes(line)
        except (BrokenError, MalformedError):
            self._tell("it gave no whole answer")
        except TlsError as error:
            self._tell(
                f"its certificate cannot be verified: {error.why}"
                if error.certificate
                else f"no TLS with it: {error.why}"
            )

    def _exchange_bytes(self, line: Line) -> None:
        while not self._is_over:
            if line.session.handshake() and not self._is_asked:
                self._is_asked = True
                line.send(self._request)
            if not line.turn():
                return
            if line.session.handshake():
                self._hear(line)

    def _hear(self, line: Line) -> None:
        data = line.session.read()
        progress = self._exchange.feed(data)
        if progress.answer is not None:
            self._status = progress.answer.status
        self._body += b"".join(progress.payload)
        if len(self._body) > MOST_ANSWER:
            self._tell(f"its answer has more than {MOST_ANSWER} bytes")
            return
        is_ended = line.session.is_ended
        if is_ended and not self._exchange.end(is_torn=line.session.is_torn):
            raise BrokenError
        if self._exchange.is_done:
            self._tell(read_answer(self._status, self._body))

    def _late(self) -> None:
        self._tell("it did not answer in time")

    def _deny(self, deny: Deny, address: str) -> None:
        self._around.write(self._whose.sandbox_id, self._event(deny, address), _never)
        self._tell(f"it is not reached: {deny.reason}")

    def _tell(self, outcome: Minted | str) -> None:
        if not self._is_over:
            done, self._done = self._done, _nothing
            self.cancel()
            done(outcome)

    def _event(self, deny: Deny | None = None, address: str = "") -> NetworkEvent:
        return NetworkEvent(
            phase="verdict",
            allowed=deny is None,
            protocol=Speech.HTTPS,
            name=self._whose.at.host,
            address=address,
            port=self._whose.at.port,
            code=deny.code if deny else "",
            reason=deny.reason if deny else "",
            rule=f"secret {self._whose.binding.secret_id}",
            rule_line=self._whose.binding.place.line,
            method="POST",
            path=self._whose.at.path,
        )


class Minting:
    """Mints one secret's tokens. `answer` is called once, of the first: its placeholder, or why
    there is none. Later failures are what requests are refused with when the last token is over.
    """

    def __init__(
        self, around: Surroundings, whose: Whose, secrets: SandboxSecrets, answer: Answer
    ) -> None:
        self._around = around
        self._whose = whose
        self._secrets = secrets
        self._answer = answer
        self._secret: Secret | None = None
        self._is_held = False
        self._rotated = ""
        self._asking: Asking | None = None
        self._timer = Timer(_never)

    def start(self, secret: Secret) -> None:
        """Ask for the first token; the secret is kept with it, or wiped."""
        self._secret = secret
        why = why_unfit(self._whose.binding, secret.reveal())
        if why:
            self._around.reactor.soon(lambda: self._tell_first(why))
        else:
            self._ask(secret)

    def close(self) -> None:
        """Mint no more. Idempotent."""
        self._timer.cancel()
        self._rotated = ""
        if self._asking is not None:
            self._asking.cancel()
        if self._secret is not None:
            self._secret.wipe()

    def _ask(self, secret: Secret) -> None:
        request = token_request(self._whose.at, secret.reveal(), self._rotated)
        self._asking = Asking(self._around, self._whose, request)
        self._asking.start(self._heard)

    def _heard(self, outcome: Minted | str) -> None:
        self._asking = None
        wait_s = SOONEST_S
        if isinstance(outcome, Minted):
            self._rotated = outcome.refresh_token or self._rotated
            wait_s = max(SOONEST_S, outcome.lasts_s * EARLY)
        self._timer = self._around.reactor.later(wait_s, self._renew)
        if self._is_held:
            self._keep(outcome)
        else:
            self._tell_first(outcome)

    def _renew(self) -> None:
        if self._secret is not None and self._secrets.has(self._whose.binding.secret_id):
            self._ask(self._secret)

    def _tell_first(self, outcome: Minted | str) -> None:
        held: SecretRef | str = f"{self._whose.at.host} minted no token: {outcome}"
        if isinstance(outcome, Minted) and self._secret is not None:
            held = self._secrets.add(self._whose.binding, self._secret, outcome.token)
            self._is_held = True
            self._keep(outcome)
        else:
            self.close()
        self._answer(held)

    def _keep(self, outcome: Minted | str) -> None:
        secret_id = self._whose.binding.secret_id
        try:
            self._secrets.renew(secret_id, outcome)
        except OSError as error:  # no descriptor is left
            self._secrets.renew(secret_id, f"the gateway cannot keep it: {error.strerror}")


def _never() -> None:
    """Nobody waits."""


def _nothing(_outcome: Minted | str) -> None:
    """Nobody is told."""
