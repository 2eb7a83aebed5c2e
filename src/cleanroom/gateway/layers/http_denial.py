"""The answer a refused HTTP request gets, in a form package managers show to people.

In: a denial. Out: one whole response that ends the connection. Never: text of the request that
was not checked, a status that makes clients try again (404, 5xx) where policy said no.

npm, pnpm, yarn 4 and pip print the reason phrase, npm also `npm-notice` and `error`, uv prints
`title` and `detail` of a problem document (RFC 9457); so the sentence stands in all of them.
"""

import json
from typing import Final

from cleanroom.decide.model import Deny
from cleanroom.decide.packets import encode_packet
from cleanroom.errors import Code
from cleanroom.gateway.http1.write import MAX_REASON, encode_response, printable

BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
BAD_GATEWAY: Final = 502
_UPSTREAMS_FAULT: Final = (
    Code.UPSTREAM_CERTIFICATE_INVALID,
    Code.UPSTREAM_UNREACHABLE,
)


def denial_response(deny: Deny, *, status: int = FORBIDDEN, head_only: bool = False) -> bytes:
    """Return the response for `deny`."""
    sentence = printable(f"{deny.code}: {deny.reason}", MAX_REASON)
    problem = {
        "type": "about:blank",
        "status": status,
        "code": str(deny.code),
        "title": str(deny.code),
        "detail": deny.reason,
        "error": sentence,
        "errors": [{"code": "DENIED", "message": sentence, "detail": deny.reason}],
    }
    fields = (
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("npm-notice", f"cleanroom: {deny.reason}"),
        ("X-Cleanroom-Code", str(deny.code)),
    )
    body = json.dumps(problem, ensure_ascii=True).encode("ascii") + b"\n"
    return encode_response(status, sentence, fields, body, head_only=head_only)


def plain_denial(deny: Deny, *, status: int = FORBIDDEN, head_only: bool = False) -> bytes:
    """Return the response for clients that show a body only if it is plain text: git, Go."""
    sentence = printable(f"{deny.code}: {deny.reason}", MAX_REASON)
    fields = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Cleanroom-Code", str(deny.code)),
    )
    body = f"{printable(f'{deny.code}: {deny.reason}')}\n".encode("ascii")
    return encode_response(status, sentence, fields, body, head_only=head_only)


def git_denial(deny: Deny, *, status: int = FORBIDDEN, head_only: bool = False) -> bytes:
    """Return the answer to what a repository is asked: of any other status git shows the number."""
    del status
    said = f"ERR {printable(f'{deny.code}: {deny.reason}')}".encode("ascii")
    fields = (
        ("Content-Type", "application/x-git-upload-pack-result"),
        ("Cache-Control", "no-store"),
        ("X-Cleanroom-Code", str(deny.code)),
    )
    return encode_response(200, "OK", fields, encode_packet(said) + b"0000", head_only=head_only)


def cargo_denial(deny: Deny, *, status: int = FORBIDDEN, head_only: bool = False) -> bytes:
    """Return the response for cargo: it prints a body as it is, and `detail` of one like this."""
    sentence = printable(f"{deny.code}: {deny.reason}")
    fields = (
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("X-Cleanroom-Code", str(deny.code)),
    )
    body = json.dumps({"errors": [{"detail": sentence}]}).encode("ascii") + b"\n"
    reason = printable(sentence, MAX_REASON)
    return encode_response(status, reason, fields, body, head_only=head_only)


def status_of(deny: Deny) -> int:
    """Return 502 if the upstream may do better next time, else 403.

    What has the wrong bytes is 403: pip and npm would try a 502 again and hide its reason.
    """
    return BAD_GATEWAY if deny.code in _UPSTREAMS_FAULT else FORBIDDEN
