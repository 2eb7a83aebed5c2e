"""Where no secret may go, a placeholder does not pass, and everything else is as it was."""

from cleanroom.events import Protocol
from cleanroom.gateway.layers.custody import Watched
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.wire import Abort, Target
from tests.gateway.secret_talk import PLACEHOLDER, POLICY, SecretTalk, keys
from tests.gateway.talk import SANDBOX, UPSTREAM, Talk

HEAD = "POST /a HTTP/1.1\nHost: a.test\nAccept-Encoding: gzip\nAuthorization: Bearer own"
OK = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"


class WatchedTalk(SecretTalk):
    """A connection to a.test that no secret may go over."""

    def __init__(self, *, verified: bool = False) -> None:
        keyring = keys(on_violation="terminate") if not verified else keys()
        self.keys = keyring
        port = 443 if verified else 80
        at = Target("a.test", "198.18.0.16", port, 5)
        custody = Watched(keyring, at, verified=verified)
        Talk.__init__(self, at, HttpLayer(POLICY, at, Protocol.HTTP, custody))


def test_everything_else_passes_as_it_came() -> None:
    talk = WatchedTalk()
    sent = talk.request(f"{HEAD}\nContent-Length: 4", b"body")
    assert sent == f"{HEAD}\nContent-Length: 4\n\nbody".replace("\n", "\r\n").encode()
    assert talk.answer(OK) == OK


def test_over_plain_http_nothing_is_swapped() -> None:
    talk = WatchedTalk()
    assert talk.request("GET / HTTP/1.1\nHost: a.test\nAuthorization: $") == b""
    assert talk.refusal() == (403, "secret_scope_violation")
    assert "to port 80" in talk.reports[0].reason
    assert talk.reports[0].ends_sandbox


def test_a_body_is_watched() -> None:
    talk = WatchedTalk()
    body = f"x{PLACEHOLDER}y".encode()
    talk.request(f"{HEAD}\nContent-Length: {len(body)}", body)
    assert talk.codes == ["", "secret_scope_violation"]
    assert talk.commands[-1] == Abort()
    assert talk.sent(SANDBOX) == b""
    assert PLACEHOLDER.encode() not in talk.sent(UPSTREAM)


def test_a_path_is_audited_without_it() -> None:
    talk = WatchedTalk()
    talk.request("GET /x/$/y?z=$ HTTP/1.1\nHost: a.test")
    assert talk.reports[0].path == "/x/***/y"


def test_another_refusal_stays_what_it_is() -> None:
    talk = WatchedTalk()
    talk.request("CONNECT a.test:80 HTTP/1.1\nHost: a.test\nAuthorization: $")
    assert talk.codes == ["protocol_not_allowed"]
