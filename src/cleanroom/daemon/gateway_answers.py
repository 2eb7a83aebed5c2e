"""What a gateway answers the daemon, read as what a hostile process may send.

In: answers, and who waits for them. Out: values that may go into a sandbox. Never: a text that is
not what it has to be; then the gateway has ended.
"""

import asyncio
import re
from typing import Final, TypeVar

from cleanroom.errors import Code, Fault, Refused
from cleanroom.gateway import control

_Answer = TypeVar("_Answer")

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,65536}-----END CERTIFICATE-----\n"
)
_PLACEHOLDER: Final = re.compile(r"[A-Za-z0-9._-]{16,1024}")
_REASON: Final = re.compile(r"[ -~]{1,200}")


def finish(waiting: "asyncio.Future[_Answer] | None", answer: _Answer) -> None:
    """Give somebody the answer, if anybody waits for it."""
    if waiting is not None and not waiting.done():
        waiting.set_result(answer)


def fail(waiting: "asyncio.Future[_Answer]") -> None:
    """Tell somebody that no answer will come."""
    if not waiting.done():
        waiting.set_exception(gone())


def gone() -> Fault:
    """Return the error of a gateway that has ended."""
    message = "cannot reach the network: the gateway process of this sandbox is gone"
    return Fault(Code.GATEWAY_LOST, message, "start the sandbox again; see the daemon's log")


def checked_certificate(certificate: str) -> str:
    """Return what looks like one certificate: it becomes part of a file in a sandbox."""
    if not _CERTIFICATE.fullmatch(certificate):
        error = "an authority without a certificate"
        raise control.ControlError(error)
    return certificate


def checked_secret(held: control.SecretHeld) -> control.SecretHeld:
    """Return what is one placeholder, which becomes a variable in a sandbox, or one reason."""
    texts = (_PLACEHOLDER.fullmatch(held.placeholder), _REASON.fullmatch(held.why_not))
    if not (texts[0] and not held.why_not) and not (texts[1] and not held.placeholder):
        error = "a secret without a placeholder"
        raise control.ControlError(error)
    return held


def placeholder_of(held: control.SecretHeld) -> str:
    """Return the placeholder. Raises Refused(secret_unavailable)."""
    if held.why_not:
        message = f"cannot use the secret '{held.secret_id}': {held.why_not}"
        hint = "run: cleanroom secrets check"
        raise Refused(Code.SECRET_UNAVAILABLE, message, hint)
    return held.placeholder
