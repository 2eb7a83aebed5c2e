"""What the daemon and the client read of a gateway that was taken over, of a client, of a sandbox.

In: bytes, a Random. Out: nothing; it returns, or raises what it declares. Never: another exception.
"""

import tarfile
from io import BytesIO
from random import Random
from typing import Final

from cleanroom.api import codec, types
from cleanroom.client.escapes import LIMIT, EscapeFilter
from cleanroom.client.frames import FrameReader
from cleanroom.client.http1 import ResponseReader
from cleanroom.client.tar import Archive
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.storage import named_by, stored_at
from cleanroom.errors import Fault, UserError
from cleanroom.gateway import control, store_wire
from cleanroom.sandbox.mise import read_environment, tools_of
from tests.fuzz.mutator import pieces
from tests.fuzz.reader import Reader

_MIRROR: Final = Mirror("npm.example", "https://m.example/npm", storage=("s3.example",))


def _of_gateway(data: bytes, random: Random) -> None:
    inbox = control.Inbox()
    for piece in pieces(random, data):
        for body in inbox.bodies(piece):
            control.decode_for_daemon(body)


def _for_store(data: bytes, _random: Random) -> None:
    store_wire.decode_for_store(data)


def _request(data: bytes, _random: Random) -> None:
    codec.decode(data, types.RunRequest)


def _attach(data: bytes, _random: Random) -> None:
    codec.decode_attach(data)


def _answer(data: bytes, random: Random) -> None:
    reader = ResponseReader()
    for piece in pieces(random, data):
        if reader.ended:
            break
        reader.feed(piece)


def _frames(data: bytes, random: Random) -> None:
    reader = FrameReader()
    for piece in pieces(random, data):
        reader.feed(piece)


def _archive(data: bytes, random: Random) -> None:
    archive = Archive(pieces(random, data))
    for member in archive:
        assert not {"..", "", "."} & set(member.parts)
        if random.randrange(2):
            for _ in archive.data():
                pass


def _terminal(data: bytes, random: Random) -> None:
    def shown(cut: list[bytes]) -> bytes:
        passing = EscapeFilter()
        return b"".join([*map(passing.feed, cut), passing.end()])

    whole = shown([data])
    assert b"\x1b]52" not in whole  # the clipboard
    assert b"\x1bP" not in whole
    if len(data) <= LIMIT:  # a longer sequence is text from where that is known
        assert shown(pieces(random, data)) == whole


def _tools(data: bytes, _random: Random) -> None:
    tools_of("mise.toml", data)


def _environment(data: bytes, _random: Random) -> None:
    read_environment(data)


def _redirect(data: bytes, _random: Random) -> None:
    text = data.decode("latin-1")
    stored = stored_at(_MIRROR, text)
    assert stored is None or named_by(text) == stored.label == "s3.example"


def _tar(form: int) -> bytes:
    made = BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name in ("a/b.txt", "a/" + "long" * 60):
            entry = tarfile.TarInfo(name)
            entry.size = 700
            archive.addfile(entry, BytesIO(bytes(700)))
        link = tarfile.TarInfo("a/link")
        link.type, link.linkname = tarfile.SYMTYPE, "b.txt"
        archive.addfile(link)
    return made.getvalue()


_RUN: Final = (
    b'{"workspace":"/work","command":["true"],"policy":{"text":"version: 1","path":"cleanroom.yaml"'
    b'},"options":{"stdin":true},"facts":{"term":"xterm"}}'
)
_REPORT: Final = control.encode(control.DoorClosed("sb"))
_DRAWN: Final = b"\x1b[1;31mred\x1b[0m \x1b[2J\x1b]8;;https://a.example\x07a\x1b]8;;\x07\x1b[?1049h"

INNER: Final = {
    "messages of the gateway": Reader(
        (_REPORT, _REPORT + control.encode(control.PolicyNarrowed("sb"))),
        _of_gateway,
        (control.ControlError,),
    ),
    "packets for the store": Reader(
        (
            store_wire.encode(store_wire.Keep(1, "0" * 64, first_seen=True)),
            store_wire.encode(store_wire.NeedRoom(7)),
        ),
        _for_store,
        (store_wire.PacketError,),
    ),
    "requests to the daemon": Reader((_RUN,), _request, (UserError,)),
    "messages of an attached client": Reader(
        (b'{"type":"resize","rows":1,"columns":2}', b'{"type":"signal","signal":"TERM"}'),
        _attach,
        (UserError,),
    ),
    "answers of a daemon": Reader(
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        _answer,
        (Fault,),
    ),
    "frames of a daemon": Reader(
        (
            b"\x81\x02hi\x82\x7e\x00\x80"
            + bytes(128)
            + b"\x01\x01a\x89\x00\x80\x01b\x88\x02\x03\xe8",
        ),
        _frames,
        (Fault,),
    ),
    "archives of a sandbox": Reader(
        (_tar(tarfile.PAX_FORMAT), _tar(tarfile.GNU_FORMAT)), _archive, (Fault,)
    ),
    "what is shown on a terminal": Reader(
        (_DRAWN, b"\x1b]52;c;AAAA\x07\x1bP1$r\x1b\\ \xc3\xa9 \x9b1m \x1b[6n"), _terminal
    ),
    "tools of mise": Reader(
        (b'[tools]\nnode = "20"\n"npm:x" = ["1", {version = "2"}]\n[env]\nA = 1\n',),
        _tools,
        (UserError,),
    ),
    "the environment of mise": Reader((b'{"PATH":"/bin","A":"b"}',), _environment, (Fault,)),
    "redirects of a mirror": Reader(
        (b"https://s3.example/bucket/a.tgz?X-Signature=0&b=%2f", b"https://other.example/"),
        _redirect,
    ),
}
