"""What a git client asks of a repository it may read, in the one spelling that leaves.

In: a grant to talk, the body of a request to git-upload-pack. Out: Grant | Refusal; the grant has
the body anew, line by line, and is found again by that. Never: a line that reading does not need;
what the client says of itself (`agent`, `session-id`).

Protocol 2 has the commands `ls-refs` and `fetch`; versions 0 and 1 have the request alone.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.decide.artifact import BAD_REQUEST, Grant, Refusal
from cleanroom.decide.model import Deny
from cleanroom.errors import Code

PACK: Final = "git:pack"  # a whole pack came, and its own checksum is right
TALK: Final = "git:talk"  # a whole answer without a pack: it may be another one next time
MOST_PACKETS: Final = 32 * 1024  # of a request
_V2: Final = "version=2"

_OID: Final = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_REF: Final = rb"[\x21-\x7e\x80-\xff]{1,1024}"
_DEEPEN: Final = rb"deepen [0-9]{1,10}|deepen-since [0-9]{1,19}|deepen-not " + _REF
_FILTER: Final = rb"filter [A-Za-z0-9:=+%_./-]{1,256}"
_FORMAT: Final = re.compile(rb"object-format=(?:sha1|sha256)")
_DROPPED: Final = re.compile(rb"(?:agent|session-id)=[\x21-\x7e]{0,1024}")
_LS_REFS: Final = re.compile(rb"peel|symrefs|unborn|ref-prefix " + _REF)
_FETCH: Final = re.compile(
    rb"(?:want|have|shallow) %b|%b|%b|want-ref %b|done|thin-pack|no-progress|include-tag"
    rb"|ofs-delta|deepen-relative|sideband-all|wait-for-done" % (_OID, _DEEPEN, _FILTER, _REF)
)
_OLD: Final = re.compile(rb"(?:have|shallow) %b|%b|%b|done" % (_OID, _DEEPEN, _FILTER))
_FIRST_WANT: Final = re.compile(rb"(want %b)((?: [\x21-\x7e]{1,1024}){0,64}) ?" % _OID)
_WANT: Final = re.compile(rb"want " + _OID)
_ABLE: Final = frozenset(
    {
        b"multi_ack", b"multi_ack_detailed", b"no-done", b"side-band", b"side-band-64k",
        b"thin-pack", b"no-progress", b"include-tag", b"ofs-delta", b"shallow", b"deepen-since",
        b"deepen-not", b"deepen-relative", b"filter", b"object-format=sha1",
        b"object-format=sha256",
    }
)  # fmt: skip
# What depends on where a branch is now, and not on the commits that are named alone.
_PASSING: Final = (b"want-ref ", b"deepen-not ")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A packet without text: 0 ends a message, 1 a part of it."""

    length: int


_FLUSH: Final = _Mark(0)
_DELIM: Final = _Mark(1)
_Packet = bytes | _Mark
_COMMANDS: Final[Mapping[_Packet, re.Pattern[bytes]]] = {
    b"command=ls-refs": _LS_REFS,
    b"command=fetch": _FETCH,
}


def advertised(grant: Grant, asked: str) -> Grant:
    """Return the grant of a repository's first page. `asked`: the client's Git-Protocol field."""
    version = _V2 if _V2 in asked.split(":") else ""
    return replace(grant, protocol=version, form=f"git {version}".strip())


def decide_talk(grant: Grant, body: bytes) -> Grant | Refusal:
    """Judge what the repository is asked."""
    packets = _packets(body)
    if packets is None:
        return _refuse(grant, "it is not written in git's packets, or in too many", BAD_REQUEST)
    is_v2 = bool(packets) and isinstance(packets[0], bytes) and packets[0].startswith(b"command=")
    read = _read_v2(packets) if is_v2 else _read_old(packets)
    if isinstance(read, str):
        return _refuse(grant, read)
    canonical = b"".join(map(_encode, read))
    lines = [each for each in read if isinstance(each, bytes)]
    wants = {line[5:17].decode() for line in lines if line.startswith(b"want ")}
    is_fetch = not is_v2 or lines[0] == b"command=fetch"
    made = replace(
        grant,
        kind="artifact" if is_fetch else "metadata",
        version=min(wants) if len(wants) == 1 else "",
        body=canonical,
        protocol=_V2 if is_v2 else "",
        form=f"git {hashlib.sha256(canonical).hexdigest()}",
    )
    if not is_fetch:
        return made
    is_passing = any(line.startswith(_PASSING) for line in lines)
    return replace(made, digests=(PACK, TALK), strength="unlocked", is_lasting=not is_passing)


def _read_v2(packets: list[_Packet]) -> list[_Packet] | str:
    """Return the message in its one spelling, or why there is none."""
    command = packets[0]
    grammar = _COMMANDS.get(command)
    if grammar is None:
        return "it has a command that reading a repository does not need"
    if packets[-1] != _FLUSH or _FLUSH in packets[:-1]:
        return "it does not end where its message does"
    able, mark, arguments = _split(packets[1:-1])
    kept = [each for each in able if not _fits(_DROPPED, each)]
    if not all(_fits(_FORMAT, each) for each in kept):
        return "it uses a capability that reading a repository does not need"
    if not all(_fits(grammar, each) for each in arguments):
        return "it has a line that reading a repository does not need"
    return [command, *kept, *mark, *arguments, _FLUSH]


def _split(packets: list[_Packet]) -> tuple[list[_Packet], list[_Packet], list[_Packet]]:
    at = packets.index(_DELIM) if _DELIM in packets else len(packets)
    return packets[:at], packets[at : at + 1], packets[at + 1 :]


def _read_old(packets: list[_Packet]) -> list[_Packet] | str:
    """Read a request of version 0 or 1: wants, and what the client has, with marks between."""
    first = packets[0] if packets else _FLUSH
    found = _FIRST_WANT.fullmatch(first) if isinstance(first, bytes) else None
    if found is None:
        return "it asks for nothing"
    able = [each for each in found[2].split() if not _DROPPED.fullmatch(each)]
    if not _ABLE.issuperset(able):
        return "it uses a capability that reading a repository does not need"
    rest = packets[1:]
    if not all(each == _FLUSH or _fits(_WANT, each) or _fits(_OLD, each) for each in rest):
        return "it has a line that reading a repository does not need"
    return [b" ".join((found[1], *able)), *rest]


def _fits(grammar: re.Pattern[bytes], packet: _Packet) -> bool:
    return isinstance(packet, bytes) and grammar.fullmatch(packet) is not None


def _packets(body: bytes) -> list[_Packet] | None:
    """Return the packets of a body, lines without their end; None if it is no message of git's."""
    found: list[_Packet] = []
    at = 0
    while at < len(body):
        if len(found) >= MOST_PACKETS:
            return None
        length = read_length(body[at : at + 4])
        if length in (0, 1):
            found.append(_DELIM if length else _FLUSH)
            at += 4
        elif length < 5 or at + length > len(body):
            return None
        else:
            found.append(body[at + 4 : at + length].removesuffix(b"\n"))
            at += length
    return found


def read_length(text: bytes) -> int:
    """Return what the four digits before a packet say; -1 if they are none."""
    return int(text, 16) if re.fullmatch(rb"[0-9a-f]{4}", text) else -1


def _encode(packet: _Packet) -> bytes:
    if isinstance(packet, _Mark):
        return b"%04x" % packet.length
    return b"%04x%b\n" % (len(packet) + 5, packet)


def _refuse(grant: Grant, why: str, status: int = 403) -> Refusal:
    code = Code.PROTOCOL_NOT_ALLOWED if status == BAD_REQUEST else Code.REGISTRY_NOT_ALLOWED
    return Refusal(Deny(code, f"the request to {grant.name} is refused: {why}"), status, grant.name)
