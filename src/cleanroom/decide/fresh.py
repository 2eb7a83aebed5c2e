"""One question for all who want the same of a git repository and have nothing of it yet.

In: a judged request to git-upload-pack. Out: the request that is sent for it. Never: a line left
out that changes which objects come.

Clients differ in what they can do with what they have: thin packs, rounds of haves, progress. To
one that has nothing it makes no difference, so one answer is found again by all of them, and by
`cache warm`. Likewise a list of branches, of which only some are shown (git_refs.py), is always
asked for as a clone does.
"""

import re
from typing import Final

from cleanroom.decide.packets import DELIM, FLUSH, Packet

_LS_REFS: Final = b"command=ls-refs"
_FETCH: Final = b"command=fetch"
_LISTED: Final = (
    b"peel", b"symrefs", b"ref-prefix HEAD", b"ref-prefix refs/heads/", b"ref-prefix refs/tags/"
)  # fmt: skip
_NEW: Final = b"object-format=sha256"  # the other one is what hosts take for meant
_QUIET: Final = b"no-progress"
_DONE: Final = b"done"
_TAGS: Final = b"include-tag"
# What says nothing where there are no haves; in versions 0 and 1 also what is answered to those.
# A pack without offsets in its deltas is read by all, and a hundredth larger: some say `ofs-delta`.
_IDLE: Final = frozenset({b"thin-pack", b"ofs-delta", _QUIET})
_IDLE_OLD: Final = _IDLE | {
    b"multi_ack", b"multi_ack_detailed", b"no-done", b"shallow", b"deepen-since", b"deepen-not",
    b"filter", b"object-format=sha1",
}  # fmt: skip
_WANT: Final = re.compile(rb"want [0-9a-f]{40,64}")
_PART: Final = re.compile(rb"deepen [0-9]+|filter .*")


def whole_list(packets: list[Packet]) -> list[Packet]:
    """Return the request for all branches and tags instead of a client's own choice of them."""
    formats = [each for each in packets if each == _NEW]
    return [_LS_REFS, *formats, DELIM, *_LISTED, FLUSH]


def fresh_fetch(packets: list[Packet]) -> list[Packet]:
    """Return the request of a client that has nothing, in the one way to ask it; else as it is."""
    return _new(packets) if packets[0] == _FETCH else _old(packets)


def _new(packets: list[Packet]) -> list[Packet]:
    at = packets.index(DELIM) if DELIM in packets else len(packets)
    formats = [each for each in packets[:at] if each == _NEW]
    lines = [each for each in packets[at:] if isinstance(each, bytes) and each not in _IDLE]
    wants, parts, rest = _sorted(lines)
    if not wants or _DONE not in rest or not rest <= {_TAGS, _DONE}:
        return packets
    told = [_TAGS] if _TAGS in rest else []
    return [_FETCH, *formats, DELIM, _QUIET, *told, *wants, *parts, _DONE, FLUSH]


def _old(packets: list[Packet]) -> list[Packet]:
    lines = [each for each in packets if isinstance(each, bytes)]
    _, oid, *able = lines[0].split(b" ")
    wants, parts, rest = _sorted([b"want " + oid, *lines[1:]])
    if packets[-2:] != [FLUSH, _DONE] or packets.count(FLUSH) != 1 or rest != {_DONE}:
        return packets
    if b"deepen-relative" in able or any(each.startswith(b"filter") for each in parts):
        return packets
    told = sorted({_QUIET, *able} - (_IDLE_OLD - {_QUIET}))
    begin = b" ".join((wants[0], *told))
    return [begin, *wants[1:], *parts, FLUSH, _DONE]


def _sorted(lines: list[bytes]) -> tuple[list[bytes], list[bytes], set[bytes]]:
    """Return what is wanted, how much of it, and all other lines."""
    wants = sorted({each for each in lines if _WANT.fullmatch(each)})
    parts = sorted({each for each in lines if _PART.fullmatch(each)})
    return wants, parts, set(lines).difference(wants, parts)
