"""One end of a TLS connection that the gateway opened, without a socket.

In: bytes of the wire, plain bytes to send. Out: plain bytes, bytes for the wire; TlsError says why
there is no session. Never: a plain byte before the handshake is done and the peer was verified as
its context demands; more of the wire kept than one call brought.

The one module of the layers that uses `ssl`: its MemoryBIO does TLS on bytes.
"""

import contextlib
import ssl
from typing import Final

_READ_BYTES: Final = 16 * 1024  # one record


class TlsError(Exception):
    """There is no session, or no more. `certificate` is true if the peer's was not accepted."""

    def __init__(self, why: str, *, certificate: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.certificate = certificate


class TlsSession:
    """Towards the sandbox (a server, `name` None) or the upstream (a client that verifies it)."""

    def __init__(self, context: ssl.SSLContext, name: str | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=name is None, server_hostname=name
        )
        self.is_open = False  # the handshake is done
        self.is_ended = False  # the peer will send no more
        self.is_torn = False  # and it ended without saying so: somebody may have cut it

    def feed(self, data: bytes | None) -> None:
        """Take bytes of the wire; None is its end."""
        if data is None:
            self._in.write_eof()
        else:
            self._in.write(data)

    def take(self) -> bytes:
        """Return what is to be put on the wire; it may be empty."""
        return self._out.read()

    def handshake(self) -> bool:
        """Go on with the handshake; tell whether it is done. Raises TlsError."""
        if not self.is_open:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLCertVerificationError as error:
                raise TlsError(error.verify_message, certificate=True) from error
            except ssl.SSLError as error:
                raise TlsError(_words(error)) from error
            self.is_open = True
        return True

    def read(self) -> bytes:
        """Return the plain bytes that came; none: there are no more now. Raises TlsError."""
        pieces = []
        try:
            while not self.is_ended:
                piece = self._tls.read(_READ_BYTES)
                if not piece:
                    self.is_ended = True
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
            self.is_ended = True
            self.is_torn = isinstance(error, ssl.SSLEOFError)
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from error
        return b"".join(pieces)

    def write(self, data: bytes) -> bytes:
        """Return plain bytes as bytes for the wire. Raises TlsError."""
        try:
            if data:
                self._tls.write(data)
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from error
        return self.take()

    def end(self) -> bytes:
        """Return the wire's bytes for "I send no more"."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not ended yet, or never began
            self._tls.unwrap()
        return self.take()


def _words(error: ssl.SSLError) -> str:
    """Return what OpenSSL calls it: one of its constants, never text of the peer."""
    if isinstance(error, ssl.SSLEOFError):
        return "the connection ended within the handshake"
    return (error.reason or "protocol error").lower().replace("_", " ")
