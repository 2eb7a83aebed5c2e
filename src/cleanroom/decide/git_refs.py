"""A repository's list of branches as those see it who may have only some of its commits.

In: the page as the host sent it. Out: the page made anew. Never: the name of an object but of a
commit that may be had; a line whose meaning is not known, UnreadableError.

Clients want what a branch is at, and pick the locked commit later. So here every branch, and HEAD,
is at a commit that may be had: where it is, if that may be, else at the first of them. Tags are
there if that is what they name, without the object that an annotated tag is. A commit that no
branch is at has one of the gateway's own, `locked-` and the beginning of its name, so that a clone
brings all.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, NoReturn

from cleanroom.decide.artifact import Grant
from cleanroom.decide.cooldown import UnreadableError
from cleanroom.decide.packets import FLUSH, Packet, encode_packet, read_packets

_OID: Final = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_REF: Final = rb"[\x21-\x7e\x80-\xff]{1,1024}"
_LINE: Final = re.compile(
    rb"(%b) (%b)((?: (?:peeled:%b|symref-target:%b)){0,2})" % (_OID, _REF, _OID, _REF)
)
_UNBORN: Final = re.compile(rb"unborn HEAD(?: symref-target:%b)?" % _REF)
_SHALLOW: Final = re.compile(rb"shallow " + _OID)
_PEELED: Final = b"^{}"
_NONE: Final = b"capabilities^{}"  # what a repository without branches is said to have
_SERVICE: Final = b"# service=git-upload-pack"
_HEADS: Final = b"refs/heads/"
_OWN: Final = _HEADS + b"locked-%b"
_SHORT: Final = 12  # characters of a commit in a name
_MOST: Final = 65_536  # packets of a page: others wait while it is read
_FETCH: Final = b"fetch="
# What a fetch may use: with others, objects are asked for that no commit says anything of, or words
# look like bytes of a pack (`sideband-all`).
_KEPT: Final = frozenset({b"shallow", b"wait-for-done"})
_HIDDEN: Final = frozenset({b"filter", b"include-tag"})  # of versions 0 and 1


class _Ref(NamedTuple):
    oid: bytes
    name: bytes
    peeled: bytes = b""
    target: bytes = b""


def holding(grant: Grant) -> Callable[[bytes], bytes] | None:
    """Return what makes a page show only what may be had; None: it stays as it is."""
    commits = grant.commits
    if grant.kind != "metadata" or commits is None or commits.others is not None:
        return None
    show = _list if grant.body else _first_page
    return lambda page: show(page, tuple(name.encode() for name in commits.names()))


def _first_page(page: bytes, pins: tuple[bytes, ...]) -> bytes:
    """The page before all others: what the host can do, and in old versions its branches."""
    packets = _read(page)
    head: list[Packet] = packets[:2] if packets[0] == _SERVICE else []
    if head and head[1:] != [FLUSH]:
        _unreadable("its first page is none of git's")
    rest = packets[len(head) :]
    if rest and rest[0] == b"version 2":
        made: list[Packet] = [*map(_cut, _lines(rest)), FLUSH]
    else:
        made = list(_old(rest, pins))
    return _written([*head, *made])


def _cut(line: bytes) -> bytes:
    if not line.startswith(_FETCH):
        return line
    able = line.removeprefix(_FETCH).split(b" ")
    return _FETCH + b" ".join(each for each in able if each in _KEPT)


def _old(packets: list[Packet], pins: tuple[bytes, ...]) -> Iterator[Packet]:
    """Versions 0 and 1: branches, the first of them with what the host can do."""
    lines = _lines(packets)
    first, _, able = lines[0].partition(b"\0") if lines else (b"", b"", b"")
    refs: list[_Ref] = []
    shallow: list[bytes] = []
    for line in [first, *lines[1:]]:
        if _SHALLOW.fullmatch(line):
            shallow.append(line)
            continue
        ref = _ref(line)
        if ref.name.endswith(_PEELED) and refs and ref.name == refs[-1].name + _PEELED:
            refs[-1] = refs[-1]._replace(peeled=ref.oid)
        elif ref.name != _NONE:
            refs.append(ref)
    can = b" ".join(each for each in able.split() if each not in _HIDDEN)
    for count, ref in enumerate(_shown(refs, pins)):
        yield b"%b %b" % (ref.oid, ref.name) + (b"" if count else b"\0" + can)
    yield from shallow
    yield FLUSH


def _list(page: bytes, pins: tuple[bytes, ...]) -> bytes:
    """An answer to `ls-refs` of version 2."""
    lines = _lines(_read(page))
    shown = _shown([_ref(line) for line in lines if not _UNBORN.fullmatch(line)], pins)
    made: list[Packet] = [
        b"%b %b" % (ref.oid, ref.name) + (b" symref-target:" + ref.target if ref.target else b"")
        for ref in shown
    ]
    return _written([*made, FLUSH])


def _shown(refs: list[_Ref], pins: tuple[bytes, ...]) -> list[_Ref]:
    """Return the refs as they are to be seen, HEAD first."""
    known = frozenset(pins)
    shown: dict[bytes, _Ref] = {}
    for ref in refs:
        if ref.oid in known or ref.peeled in known:
            at = ref.oid if ref.oid in known else ref.peeled
        elif ref.name == b"HEAD" or ref.name.startswith(_HEADS):
            at = pins[0]
        else:
            continue
        shown[ref.name] = _Ref(at, ref.name, b"", ref.target)
    there = {ref.oid for ref in shown.values() if ref.name.startswith(_HEADS)}
    for oid in pins:
        name = _OWN % oid[:_SHORT]
        if oid not in there:
            shown[name] = _Ref(oid, name)
    return sorted(shown.values(), key=lambda ref: (ref.name != b"HEAD", ref.name))


def _ref(line: bytes) -> _Ref:
    found = _LINE.fullmatch(line)
    if found is None:
        _unreadable("a line of its branches is none of git's")
    oid, name, more = found.groups()
    if not more:
        return _Ref(oid, name)
    said = dict(each.split(b":", 1) for each in more.split())
    return _Ref(oid, name, said.get(b"peeled", b""), said.get(b"symref-target", b""))


def _lines(packets: list[Packet]) -> list[bytes]:
    """Return the text of packets that one mark ends, and no other one parts."""
    lines = [each for each in packets[:-1] if isinstance(each, bytes)]
    if not packets or len(lines) != len(packets) - 1 or packets[-1] != FLUSH:
        _unreadable("its list of branches does not end where it does")
    return lines


def _read(page: bytes) -> list[Packet]:
    packets = read_packets(page, _MOST)
    if not packets:
        _unreadable("it is not written in git's packets, or in too many")
    return packets


def _written(packets: list[Packet]) -> bytes:
    return b"".join(map(encode_packet, packets))


def _unreadable(why: str) -> NoReturn:
    message = f"the host's list of branches cannot be read: {why}"
    raise UnreadableError(message)
