"""What a git client asks of a repository it may read, in the one spelling that leaves.

In: a grant to talk, the body of a request to git-upload-pack. Out: Grant | Refusal; the grant has
the body anew, line by line, and is found again by that. Never: a line that reading does not need;
what the client says of itself (`agent`, `session-id`).

Protocol 2 has the commands `ls-refs` and `fetch`; versions 0 and 1 have the request alone.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

from cleanroom.decide.artifact import BAD_REQUEST, Grant, Refusal
from cleanroom.decide.commits import UNLOCKED, Commit, Commits
from cleanroom.decide.fresh import fresh_fetch, whole_list
from cleanroom.decide.model import Deny
from cleanroom.decide.objects import Asked
from cleanroom.decide.packets import DELIM, FLUSH, Packet, encode_packet, read_packets
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
# What is asked for otherwise than by name: by a branch, or by leaving out what is asked for later.
_UNNAMED: Final = (b"want-ref ", b"filter ")
# What would bring objects that nothing named, or differences to those that are not in the pack.
_LEFT_OUT: Final = frozenset({b"include-tag", b"thin-pack"})
_SHORT: Final = 12  # characters of a commit's name that people are shown
_SHOWN: Final = 3  # commits that a refusal names


_COMMANDS: Final[Mapping[Packet, re.Pattern[bytes]]] = {
    b"command=ls-refs": _LS_REFS,
    b"command=fetch": _FETCH,
}


def advertised(grant: Grant, asked: str) -> Grant:
    """Return the grant of a repository's first page. `asked`: the client's Git-Protocol field."""
    version = _V2 if _V2 in asked.split(":") else ""
    return replace(grant, protocol=version, form=f"git {version}".strip())


def decide_talk(grant: Grant, body: bytes) -> Grant | Refusal:
    """Judge what the repository is asked."""
    packets = read_packets(body, MOST_PACKETS)
    if packets is None:
        return _refuse(grant, "it is not written in git's packets, or in too many", BAD_REQUEST)
    is_v2 = bool(packets) and isinstance(packets[0], bytes) and packets[0].startswith(b"command=")
    read = _read_v2(packets) if is_v2 else _read_old(packets)
    if isinstance(read, str):
        return _refuse(grant, read)
    is_fetch = not is_v2 or packets[0] == b"command=fetch"
    if grant.commits is not None and grant.commits.others is None:
        read = _whole(read) if is_fetch else whole_list(read)
        why = _unheld(read, grant.commits) if is_fetch else None
        if why:
            return _unlocked(grant, *why)
    read = fresh_fetch(read) if is_fetch else read
    canonical = b"".join(map(encode_packet, read))
    lines = [each for each in read if isinstance(each, bytes)]
    wants = _wants(lines)
    made = replace(
        grant,
        kind="artifact" if is_fetch else "metadata",
        version=min(wants)[:_SHORT] if len(wants) == 1 else "",
        body=canonical,
        protocol=_V2 if is_v2 else "",
        form=f"git {hashlib.sha256(canonical).hexdigest()}",
    )
    if not is_fetch:
        return made
    found = _found(grant.commits, wants)
    is_passing = any(line.startswith(_PASSING) for line in lines)
    digests = (PACK, TALK)
    lasting = not is_passing
    return replace(
        made, digests=digests, strength=found.strength, pin=found.pin, is_lasting=lasting
    )


def _wants(lines: list[bytes]) -> list[str]:
    """Return the objects that are asked for, by their whole names."""
    wants = {line[5:].partition(b" ")[0].decode() for line in lines if line.startswith(b"want ")}
    return sorted(wants)


def _found(commits: Commits | None, wants: list[str]) -> Commit:
    """Return why what is wanted may be had: the weakest reason of all."""
    found = [commits.find(want) or UNLOCKED for want in wants] if commits is not None else []
    for strength in ("unlocked", "exception", "lockfile"):
        for each in found:
            if each.strength == strength:
                return each
    return UNLOCKED


def asked_of(grant: Grant) -> Asked | None:
    """Return what an answer must be, of a question that is held to commits; else None."""
    commits = grant.commits
    if grant.kind != "artifact" or commits is None or commits.others is not None:
        return None
    packets = read_packets(grant.body, MOST_PACKETS) or []
    lines = [each for each in packets if isinstance(each, bytes)]
    has_some = any(line.startswith((b"have ", b"shallow ")) for line in lines)
    is_part = any(line.startswith(b"deepen") for line in lines)
    wanted = frozenset(map(bytes.fromhex, _wants(lines)))
    had = {bytes.fromhex(line[5:].decode()) for line in lines if line.startswith(b"have ")}
    return Asked(wanted, has_some, is_part, had=wanted & had)


def _whole(read: list[Packet]) -> list[Packet]:
    """Ask for packs that can be read by themselves, and have no tags, which lock files name not."""
    kept = [each for each in read if each not in _LEFT_OUT]
    first = kept[0]
    if isinstance(first, bytes) and first.startswith(b"want "):  # versions 0 and 1
        kept[0] = b" ".join(each for each in first.split(b" ") if each not in _LEFT_OUT)
    return kept


def _unheld(read: list[Packet], commits: Commits) -> tuple[str, str] | None:
    """Return what is asked for beyond the commits, and why it is refused; None for nothing."""
    lines = [each for each in read if isinstance(each, bytes)]
    for want in _wants(lines):
        if commits.find(want) is None:
            known = ", ".join(name[:_SHORT] for name in islice(commits.names(), _SHOWN))
            return want, f"is not in {commits.lockfiles}, which pins {known}"
    for line in lines:
        if line.startswith(_UNNAMED):
            return "", "is asked for by what is no commit's name, and lock files pin commits"
    return _deepened(lines, commits)


def _deepened(lines: list[bytes], commits: Commits) -> tuple[str, str] | None:
    """Return what of the client's would have its parents later, and why that is refused."""
    depths = [line for line in lines if line.startswith(b"deepen")]
    wants = _wants(lines)
    for line in lines if depths else ():
        name = line[8:].decode() if line.startswith(b"shallow ") else ""
        # SECURITY: a host takes the parents of what a client calls shallow for wanted.
        if name and commits.find(name) is None:
            return name, "is deepened, and no lock file pins it: fetch without --depth"
        # They would come without it, so that nothing in the pack names them.
        if name in wants and depths != [b"deepen 1"]:
            return name, "is here without its parents, and they are not had later: clone it anew"
    return None


def _unlocked(grant: Grant, oid: str, why: str) -> Refusal:
    label = f"{grant.name} {oid[:_SHORT]}".strip()
    return Refusal(Deny(Code.LOCKFILE_VIOLATION, f"{label} {why}"), label=label)


def _read_v2(packets: list[Packet]) -> list[Packet] | str:
    """Return the message in its one spelling, or why there is none."""
    command = packets[0]
    grammar = _COMMANDS.get(command)
    if grammar is None:
        return "it has a command that reading a repository does not need"
    if packets[-1] != FLUSH or FLUSH in packets[:-1]:
        return "it does not end where its message does"
    able, mark, arguments = _split(packets[1:-1])
    kept = [each for each in able if not _fits(_DROPPED, each)]
    if not all(_fits(_FORMAT, each) for each in kept):
        return "it uses a capability that reading a repository does not need"
    if not all(_fits(grammar, each) for each in arguments):
        return "it has a line that reading a repository does not need"
    return [command, *kept, *mark, *arguments, FLUSH]


def _split(packets: list[Packet]) -> tuple[list[Packet], list[Packet], list[Packet]]:
    at = packets.index(DELIM) if DELIM in packets else len(packets)
    return packets[:at], packets[at : at + 1], packets[at + 1 :]


def _read_old(packets: list[Packet]) -> list[Packet] | str:
    """Read a request of version 0 or 1: wants, and what the client has, with marks between."""
    first = packets[0] if packets else FLUSH
    found = _FIRST_WANT.fullmatch(first) if isinstance(first, bytes) else None
    if found is None:
        return "it asks for nothing"
    able = [each for each in found[2].split() if not _DROPPED.fullmatch(each)]
    if not _ABLE.issuperset(able):
        return "it uses a capability that reading a repository does not need"
    rest = packets[1:]
    if not all(each == FLUSH or _fits(_WANT, each) or _fits(_OLD, each) for each in rest):
        return "it has a line that reading a repository does not need"
    return [b" ".join((found[1], *able)), *rest]


def _fits(grammar: re.Pattern[bytes], packet: Packet) -> bool:
    return isinstance(packet, bytes) and grammar.fullmatch(packet) is not None


def _refuse(grant: Grant, why: str, status: int = 403) -> Refusal:
    code = Code.PROTOCOL_NOT_ALLOWED if status == BAD_REQUEST else Code.REGISTRY_NOT_ALLOWED
    return Refusal(Deny(code, f"the request to {grant.name} is refused: {why}"), status, grant.name)
