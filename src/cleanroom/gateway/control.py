"""Messages between the daemon and the gateway process, and their bytes.

In: values, or bytes from the other end of the control socket. Out: bytes, or values.
Never: I/O, a value of a secret; descriptors travel beside a message by SCM_RIGHTS: one anonymous
file with HoldSecret, the policy's with OpenDoor and NarrowPolicy (gateway/handover.py), and behind
it those of the door (DOOR_DESCRIPTORS).

A message is 4 bytes of big-endian length and that many bytes of JSON. The gateway answers
MakeAuthority with AuthorityMade, HoldSecret with SecretHeld, OpenDoor with DoorOpened,
NarrowPolicy with PolicyNarrowed, CloseDoor with DoorClosed. Each of its Reports is answered with
Acknowledge(last sequence number) once the audit lines are written; there is no negative answer, a
daemon that cannot write closes the socket.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from cleanroom.decide.mirror import Mirror
from cleanroom.events import NetworkEvent
from cleanroom.policy.model import SecretBinding
from cleanroom.policy.opened import OpenedName

# tcp4, tcp6, dns4, dns6, udp4, udp6: the order of backends.base.DoorSockets
DOOR_DESCRIPTORS: Final = 6
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
_PREFIX_BYTES: Final = 4
MOST_REASON: Final = 200  # characters


class Message(msgspec.Struct, frozen=True, tag_field="type", tag=True, forbid_unknown_fields=True):
    """Base of every message."""


class Configure(Message, frozen=True):
    """First message of the daemon: what the operator's configuration and the host say.

    `host_networks`: every address and on-link prefix of the host, as CIDR text. `host_services`:
    "NAME:PORT" inside and the loopback "ADDRESS:PORT" it means. `resolvers`:
    addresses "IP" or "IP:PORT" / "[IP6]:PORT"; empty means the host's own resolver. `proxy`:
    "HOST:PORT" of a CONNECT proxy, or "". `foreign_credentials`: bound hosts, "strip" or "pass".
    `mirrors`: asked instead of registries' hosts.
    """

    host_networks: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    proxy: str = ""
    host_services: tuple[tuple[str, str], ...] = ()
    foreign_credentials: tuple[tuple[str, str], ...] = ()
    mirrors: tuple[Mirror, ...] = ()


class Trust(Message, frozen=True):
    """The certificates (PEM) that upstreams of opened connections are verified against."""

    roots: str


class MakeAuthority(Message, frozen=True):
    """Make the certificate authority of a sandbox whose door comes later.

    It may speak for `names` only, from `since` until `until` (seconds since 1970).
    """

    sandbox_id: str
    names: tuple[OpenedName, ...]
    since: int
    until: int


class HoldSecret(Message, frozen=True):
    """Keep the value that comes in one anonymous file, for this sandbox; its time begins now.

    It may come before the door. A token that has to be minted is asked for at once, unless the
    sandbox is `offline`; SecretHeld comes when it is there. One of a mirror
    (decide/mirror.py) has a binding to nothing.
    """

    sandbox_id: str
    binding: SecretBinding
    offline: bool = False


class OpenDoor(Message, frozen=True):
    """Serve this sandbox; its policy and the six sockets of its door come as descriptors.

    `offline`: nothing is asked of any upstream for it.
    """

    sandbox_id: str
    offline: bool = False


class NarrowPolicy(Message, frozen=True):
    """Judge by the narrower policy that comes as a descriptor; what it judges otherwise is cut."""

    sandbox_id: str


class PolicyNarrowed(Message, frozen=True):
    """The sandbox is judged by it; nothing lives that was allowed by the one of before alone."""

    sandbox_id: str


class CloseDoor(Message, frozen=True):
    """Cut every connection of this sandbox and forget it."""

    sandbox_id: str


class Acknowledge(Message, frozen=True):
    """The audit lines of every report up to this sequence number are written."""

    sequence: int


class AuthorityMade(Message, frozen=True):
    """What the sandbox is to trust, as PEM; the key stays in the gateway."""

    sandbox_id: str
    certificate: str


class SecretHeld(Message, frozen=True):
    """What stands for the secret inside; or why its value cannot be kept, and nothing is."""

    sandbox_id: str
    secret_id: str
    placeholder: str = ""
    why_not: str = ""


class DoorOpened(Message, frozen=True):
    """The gateway listens at this sandbox's door."""

    sandbox_id: str


class DoorClosed(Message, frozen=True):
    """Nothing of this sandbox is left in the gateway; all its reports were sent before."""

    sandbox_id: str


class Report(msgspec.Struct, frozen=True, array_like=True):
    """One event of one sandbox. Sequence numbers rise by one over the life of the gateway."""

    sequence: int
    sandbox_id: str
    event: NetworkEvent


class Reports(Message, frozen=True):
    """Events to write, in order."""

    reports: tuple[Report, ...]


ToGateway = (
    Configure
    | Trust
    | MakeAuthority
    | HoldSecret
    | OpenDoor
    | NarrowPolicy
    | CloseDoor
    | Acknowledge
)
ToDaemon = AuthorityMade | SecretHeld | DoorOpened | PolicyNarrowed | DoorClosed | Reports

_ENCODER: Final = msgspec.json.Encoder()
_TO_GATEWAY: Final[msgspec.json.Decoder[ToGateway]] = msgspec.json.Decoder(ToGateway)
_TO_DAEMON: Final[msgspec.json.Decoder[ToDaemon]] = msgspec.json.Decoder(ToDaemon)


class ControlError(Exception):
    """The other end sent what is no message: the connection cannot go on."""


def encode(message: ToGateway | ToDaemon) -> bytes:
    """Return the message's bytes, length first. Raises ControlError if it is too long."""
    body = _ENCODER.encode(message)
    if len(body) > MAX_MESSAGE_BYTES:
        error = f"cannot send a message of {len(body)} bytes"
        raise ControlError(error)
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


class Inbox:
    """Cuts a byte stream into message bodies."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def bodies(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes, yield each body that is whole. Raises ControlError."""
        self._bytes += data
        start = 0
        while len(self._bytes) - start >= _PREFIX_BYTES:
            end = start + _PREFIX_BYTES
            length = int.from_bytes(self._bytes[start:end], "big")
            if length > MAX_MESSAGE_BYTES:
                error = f"cannot read a message of {length} bytes"
                raise ControlError(error)
            if len(self._bytes) - end < length:
                break
            yield bytes(self._bytes[end : end + length])
            start = end + length
        del self._bytes[:start]


def decode_for_gateway(body: bytes) -> ToGateway:
    """Parse what the daemon sent. Raises ControlError."""
    try:
        return _TO_GATEWAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(str(error)) from error


def decode_for_daemon(body: bytes) -> ToDaemon:
    """Parse what the gateway sent. Raises ControlError."""
    try:
        return _TO_DAEMON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(str(error)) from error
