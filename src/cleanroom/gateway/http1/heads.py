"""Heads of requests and responses, and how the body after each is delimited.

In: bytes of a hostile peer. Out: RequestHead, ResponseHead; MalformedError says what is wrong.
Never: a repair, an exception of another kind, more than MAX_HEAD bytes kept.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_HEAD: Final = 64 * 1024  # bytes, with the empty line at its end
MAX_FIELDS: Final = 128

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # noqa: S105 -- RFC 9110 section 5.6.2, no secret
_NAME: Final = re.compile(rf"{_TOKEN}+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # HTAB is 0x09
# No `#`: a fragment is never sent, and readers disagree on what it means.
_REQUEST_LINE: Final = re.compile(rf"({_TOKEN}{{1,32}}) ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])")
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_REQUEST_START: Final = re.compile(rf"{_TOKEN}{{1,32}}(?: |$)".encode())
_STATUS_START: Final = b"HTTP/1."
_AUTHORITY: Final = re.compile(
    r"(?:[0-9A-Za-z._\-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,14}")
_NAME_BEGUN: Final = re.compile(rf"{_TOKEN}+".encode())
_BARE_NEWLINE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")

# Fields that decide where a message ends or whom it is for: once at most, and spelt as they are.
_ONCE: Final = frozenset({"host", "content-length", "transfer-encoding"})
_LISTS: Final = frozenset({"connection", "upgrade"})
_SPECIAL: Final = _ONCE | _LISTS
# What a request may ask of the next hop only. Any other option would make that hop drop a field
# that we judged, such as Host.
_OPTIONS: Final = frozenset({"close", "keep-alive", "te", "upgrade", "http2-settings"})


class MalformedError(Exception):
    """A peer sent what is not, or not beyond doubt, HTTP/1.1. The text says what."""


class Delimiter(Enum):
    """What ends a body."""

    LENGTH = "length"  # after `length` bytes; 0: there is none
    CHUNKED = "chunked"
    CLOSE = "close"  # responses only


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body is delimited. `length` counts only for Delimiter.LENGTH."""

    delimiter: Delimiter
    length: int = 0


Fields = tuple[tuple[str, str], ...]
NO_BODY: Final = Framing(Delimiter.LENGTH, 0)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request up to its body. Names of `fields` are lower case, values without outer blanks.

    `target` is an absolute path with its query, `*` (OPTIONS) or an authority (CONNECT).
    `host` is the Host field, "" if a HTTP/1.0 request has none. Text is latin-1.
    """

    method: str
    target: str
    minor: int  # of the version HTTP/1.x
    fields: Fields
    host: str
    framing: Framing
    persistent: bool  # another request may follow on the connection
    upgrades: bool  # it asks for another protocol


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response up to its body. `framing` knows the request's method."""

    status: int
    minor: int
    fields: Fields
    framing: Framing
    persistent: bool

    @property
    def interim(self) -> bool:
        """Whether the real response is still to come."""
        return self.status < 200


class HeadReader:
    """Cuts heads out of a byte stream that arrives in pieces."""

    def __init__(self, *, responses: bool) -> None:
        self._responses = responses
        self._pending = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no byte of a head has come yet."""
        return not self._pending

    def read(self, data: bytes, start: int = 0) -> tuple[bytes | None, int]:
        """Return a whole head with its empty line, or None, and where in `data` it ends.

        Raises MalformedError as soon as the beginning cannot become a head.
        """
        if not self._pending:
            end = data.find(b"\r\n\r\n", start) + 4
            if 4 <= end <= start + MAX_HEAD:
                return data[start:end], end
        before = len(self._pending)
        self._pending += data[start : start + MAX_HEAD + 1 - before]
        end = self._pending.find(b"\r\n\r\n", max(0, before - 3)) + 4
        if 4 <= end <= MAX_HEAD:
            head = bytes(self._pending[:end])
            self._pending = bytearray()
            return head, start + end - before
        self._check_beginning(max(0, before - 1))
        return None, len(data)

    def _check_beginning(self, new: int) -> None:
        if len(self._pending) > MAX_HEAD:
            message = f"the head is longer than {MAX_HEAD} bytes"
            raise MalformedError(message)
        if _BARE_NEWLINE.search(self._pending, new):
            message = "a line ends in a bare CR or LF"
            raise MalformedError(message)
        if self._responses:
            start = bytes(self._pending[: len(_STATUS_START)])
            if not _STATUS_START.startswith(start):
                message = "the answer does not begin with a status line"
                raise MalformedError(message)
        elif not _REQUEST_START.match(self._pending):
            message = "the first line is not a request line"
            raise MalformedError(message)


def parse_request(head: bytes) -> RequestHead:
    """Read a request's head, empty line included."""
    first, lines = _lines(head)
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        message = "the first line is not a request line of HTTP/1.1"
        raise MalformedError(message)
    method, target, minor = line[1], line[2], int(line[3])
    _check_target(method, target)
    fields, special = _fields(lines)
    options = _tokens(special.get("connection", ""))
    if not _OPTIONS.issuperset(options):
        message = "Connection names a field that the next server would drop"
        raise MalformedError(message)
    framing = _framing(special, minor, strict=True)
    if method == "CONNECT" and framing is not None:  # RFC 9110 section 9.3.6: it has no content
        message = "CONNECT has a body"
        raise MalformedError(message)
    return RequestHead(
        method=method,
        target=target,
        minor=minor,
        fields=fields,
        host=_host(special.get("host"), minor),
        framing=framing or NO_BODY,
        persistent=minor == 1 and method != "CONNECT" and "close" not in options,
        upgrades="upgrade" in special or "upgrade" in options,
    )


def parse_response(head: bytes, method: str) -> ResponseHead:
    """Read a response's head, empty line included; `method` is the request's."""
    first, lines = _lines(head)
    line = _STATUS_LINE.fullmatch(first)
    if line is None:
        message = "the first line is not a status line of HTTP/1.1"
        raise MalformedError(message)
    minor, status = int(line[1]), int(line[2])
    fields, special = _fields(lines)
    framing = _framing(special, minor, strict=False)
    if status < 200 and framing not in (None, NO_BODY):  # readers differ on what follows
        message = "an interim answer has a body"
        raise MalformedError(message)
    if method == "HEAD" or status < 200 or status in (204, 304):  # RFC 9112 section 6.3, 1
        framing = NO_BODY
    framing = framing or Framing(Delimiter.CLOSE)
    return ResponseHead(
        status=status,
        minor=minor,
        fields=fields,
        framing=framing,
        persistent=minor == 1
        and framing.delimiter is not Delimiter.CLOSE
        and "close" not in _tokens(special.get("connection", "")),
    )


def parse_trailers(section: bytes) -> Fields:
    """Read a trailer section, empty line included; no field may be about framing or routing."""
    _, lines = _lines(b"\r\n" + section)
    fields, special = _fields(lines)
    if special:
        message = "a trailer holds a field that belongs into the head"
        raise MalformedError(message)
    return fields


def check_trailers_begun(section: bytes) -> None:
    """Judge a trailer section of which more is to come.

    SECURITY: it passes as it comes, and a looser reader may see an end where there is none yet,
    behind a bare LF, say. What follows would be a request that nobody judged (promise E22).
    """
    line = section.rfind(b"\n") + 1
    if _NAME_BEGUN.fullmatch(section, line):
        ended = section[:line]
    else:
        ended = section.removesuffix(b"\r")
        ended += b"" if not ended or ended.endswith(b"\n") else b"\r\n"
    parse_trailers(ended + b"\r\n")


def _lines(head: bytes) -> tuple[str, list[str]]:
    text = head.decode("latin-1")
    if _CONTROL.search(text.replace("\r\n", "")):
        message = "the head holds a control character or a bare CR or LF"
        raise MalformedError(message)
    first, *lines = text.split("\r\n")
    return first, lines[:-2]


def _fields(lines: list[str]) -> tuple[Fields, dict[str, str]]:
    """Return all fields, and those that decide about framing and routing by name."""
    if len(lines) > MAX_FIELDS:
        message = f"there are more than {MAX_FIELDS} fields"
        raise MalformedError(message)
    fields = []
    special: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name):  # a folded line too: it begins with a blank
            message = "a line of the head is not a field"
            raise MalformedError(message)
        name = name.lower()
        fields.append((name, value.strip(" \t")))
        if "_" in name and name.replace("_", "-") in _SPECIAL:
            # Gateways of the CGI family read both spellings as one field.
            message = f"a field is spelt with an underscore: {name}"
            raise MalformedError(message)
        if name in _SPECIAL:
            _add_special(special, name, value)
    return tuple(fields), special


def _add_special(special: dict[str, str], name: str, value: str) -> None:
    if "\t" in value:
        message = f"the field {name} holds a tab"
        raise MalformedError(message)
    if name not in special:
        special[name] = value.strip(" ")
    elif name in _ONCE:
        message = f"the field {name} comes twice"
        raise MalformedError(message)
    else:
        special[name] += "," + value


def _tokens(value: str) -> frozenset[str]:
    return frozenset(word for part in value.split(",") if (word := part.strip(" ").lower()))


def _check_target(method: str, target: str) -> None:
    if method == "CONNECT":
        if not _AUTHORITY.fullmatch(target):
            message = "CONNECT does not name a host and a port"
            raise MalformedError(message)
    elif not target.startswith("/") and (target, method) != ("*", "OPTIONS"):
        # An absolute URI names a host beside Host: one name is enough.
        message = "the request target is not a path"
        raise MalformedError(message)


def _host(value: str | None, minor: int) -> str:
    if value is None and minor == 0:
        return ""
    if value is None or not _AUTHORITY.fullmatch(value):
        message = "there is no Host field that is a host name with at most a port"
        raise MalformedError(message)
    return value


def _framing(special: dict[str, str], minor: int, *, strict: bool) -> Framing | None:
    """Return what the fields say; None if nothing. `strict`: the only spelling is `chunked`.

    Of a response another case of letters is read too: what reads it next is the client, and the
    risk is its own. RFC 9112 section 6.1 names the coding case-insensitive.
    """
    length, coding = special.get("content-length"), special.get("transfer-encoding")
    if coding is not None:
        if length is not None or minor == 0:
            message = "Transfer-Encoding stands beside Content-Length, or in HTTP/1.0"
            raise MalformedError(message)
        if (coding if strict else coding.lower()) != "chunked":
            message = "the Transfer-Encoding is another than chunked"
            raise MalformedError(message)
        return Framing(Delimiter.CHUNKED)
    if length is not None:
        if not _LENGTH.fullmatch(length):
            message = "the Content-Length is not one plain number"
            raise MalformedError(message)
        return Framing(Delimiter.LENGTH, int(length))
    return None
