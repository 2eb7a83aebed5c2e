"""Messages between the gateway and the store of the content cache, and their bytes.

In: values, or one packet from the other end. Out: one packet, or values. Never: I/O; a path of the
disk; more than one descriptor with a packet.

The gateway has no files: the daemon opens them. `Found` with an entry and `Room` come with one
descriptor, of the blob to read or of a nameless file to write. A request's number is the
gateway's; it means the same until it is over.
"""

from typing import Final

import msgspec

MAX_PACKET_BYTES: Final = 64 * 1024
MOST_OVER: Final = 64  # requests that may wait for a `Find` to say that they are over


class Packet(msgspec.Struct, frozen=True, tag_field="type", tag=True, forbid_unknown_fields=True):
    """Base of every message."""


class Said(msgspec.Struct, frozen=True):
    """What the upstream said of what it sent, and where from if a redirect led there."""

    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    sender: str = ""


class Stored(msgspec.Struct, frozen=True):
    """What is kept: its digests in hexadecimal, its length, and how long ago it was confirmed."""

    sha256: str
    sha512: str
    sha1: str
    size: int
    said: Said
    age_s: float

    def has_any(self, digests: tuple[str, ...]) -> bool:
        """Tell whether one of `digests` ("sha512:<hex>") is of this file."""
        own = {f"sha256:{self.sha256}", f"sha512:{self.sha512}", f"sha1:{self.sha1}"}
        return not own.isdisjoint(digests)


class Find(Packet, frozen=True):
    """What is kept of this? `form` tells apart the answers to different Accept fields.

    `identity` says with whose credentials it is asked for: a digest, "" with none. `over` are
    requests that meant nothing more to the gateway before, as if by `Drop`.
    """

    request: int
    host: str
    path: str
    form: str = ""
    identity: str = ""
    over: tuple[int, ...] = ()


class NeedRoom(Packet, frozen=True):
    """Open a nameless file for what the upstream sends."""

    request: int


class NeedSpace(Packet, frozen=True):
    """The disk is full: have the longest unused files go for so many bytes."""

    request: int
    bytes: int


class Keep(Packet, frozen=True):
    """Keep what is in this request's file, if it has this digest.

    `first_seen`: only if nothing else was seen first under its key.
    """

    request: int
    sha256: str
    said: Said = Said()
    first_seen: bool = False


class Validated(Packet, frozen=True):
    """The upstream says that what is kept is still its answer."""

    request: int


class Damaged(Packet, frozen=True):
    """What was found is not what it must be: forget it."""

    request: int


class Drop(Packet, frozen=True):
    """Forget this request; its file goes."""

    request: int


class Found(Packet, frozen=True):
    """What is kept (then a descriptor comes along), and what was seen first under the key."""

    request: int
    stored: Stored | None = None
    first_seen: str = ""


class Room(Packet, frozen=True):
    """The file; a descriptor comes along."""

    request: int


class Space(Packet, frozen=True):
    """Files went, so that there may be room now."""

    request: int


class Kept(Packet, frozen=True):
    """It is kept. `first_seen` is what binds under the key: another digest means it is not."""

    request: int
    first_seen: str = ""


class Failed(Packet, frozen=True):
    """The store could not do what this request last asked. `why` is part of a sentence."""

    request: int
    why: str


class Removed(Packet, frozen=True):
    """Files went that were asked to go: what is known of any from before may not be so."""


OfRequest = NeedRoom | NeedSpace | Keep | Validated | Damaged | Drop
ToStore = Find | OfRequest
Answer = Found | Room | Space | Kept | Failed
ToGateway = Answer | Removed

_ENCODER: Final = msgspec.json.Encoder()
_TO_STORE: Final[msgspec.json.Decoder[ToStore]] = msgspec.json.Decoder(ToStore)
_TO_GATEWAY: Final[msgspec.json.Decoder[ToGateway]] = msgspec.json.Decoder(ToGateway)


class PacketError(Exception):
    """The other end sent what is no message: the connection cannot go on."""


def encode(message: ToStore | ToGateway) -> bytes:
    """Return the packet. Raises PacketError if it is too long."""
    packet = _ENCODER.encode(message)
    if len(packet) > MAX_PACKET_BYTES:
        error = f"cannot send a packet of {len(packet)} bytes"
        raise PacketError(error)
    return packet


def decode_for_store(packet: bytes) -> ToStore:
    """Parse what the gateway sent. Raises PacketError."""
    try:
        return _TO_STORE.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(str(error)) from error


def decode_for_gateway(packet: bytes) -> ToGateway:
    """Parse what the daemon sent. Raises PacketError."""
    try:
        return _TO_GATEWAY.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(str(error)) from error
