"""The vocabulary between the gateway's sockets and its layers: events in, commands out.

In: nothing. Out: the unions Event and Command, and the Protocols Layer and Answerer that
gateway/server.py drives. Never: a socket, a clock.

The server keeps these promises, so that no layer has to:

* Commands of one `handle` call are carried out in order.
* `Report` holds back every later command of its connection, and every further event, until the
  daemon acknowledged that the audit line is written. If that never happens the connection dies.
  A layer therefore writes `[Report(event), Send(...)]`, and the bytes cannot overtake the line.
* `Dial` is the last command of its call; the next event is Dialled or DialFailed, nothing else.
* Back-pressure: a side is not read while the other side's unsent bytes exceed the buffer size.
* After `Relay` both directions are copied untouched, half-close included, and the layer hears
  DataReceived no more.
* When a connection ends the server reports `phase="closed"` with its byte counts by itself, if
  any Report of it was allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cleanroom.decide.model import Deny
from cleanroom.events import NetworkEvent
from cleanroom.gateway import source


class Side(Enum):
    """Who is at the other end of a byte stream."""

    SANDBOX = "sandbox"
    UPSTREAM = "upstream"

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return Side.UPSTREAM if self is Side.SANDBOX else Side.SANDBOX


@dataclass(frozen=True, slots=True)
class Target:
    """What a connection was made to. `name` is canonical, "" if no name has this address."""

    name: str
    address: str  # the original destination: a synthetic address, or what the workload dialled
    port: int
    connection_id: int


# --- events: the past tense ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection was accepted from the sandbox; nothing was read yet. Always the first event."""


@dataclass(frozen=True, slots=True)
class DataReceived:
    """`side` sent these bytes, in order, cut anywhere; never empty."""

    side: Side
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """`side` will send no more; it may still receive.

    `torn`: inside TLS, without the peer's word for it, so somebody may have cut what it sent.
    """

    side: Side
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Dialled:
    """The upstream is connected at this judged address (canonical text)."""

    address: str
    through_proxy: bool = False


@dataclass(frozen=True, slots=True)
class DialFailed:
    """No address may be dialled (address_not_allowed) or answered (upstream_unreachable)."""

    deny: Deny
    address: str = ""  # the address that was refused or did not answer, if there was one


@dataclass(frozen=True, slots=True)
class Expired:
    """The peer took too long with what the layer waits for (its first bytes, a head)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to the Fetch begins."""

    answer: source.Answer


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes of its body, in order; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FetchEnded:
    """That was all of it."""

    served: source.Served


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No more will come; after Begun, what came is not whole."""

    deny: Deny


FetchEvent = Begun | Fetched | FetchEnded | FetchFailed
OwnEvent = Opened | DataReceived | Ended | Dialled | DialFailed | Expired
Event = OwnEvent | FetchEvent


# --- commands: the imperative ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Resolve the target's name, judge each address, connect to a judged one."""


@dataclass(frozen=True, slots=True)
class Report:
    """Write this verdict to the audit; hold everything else until it is written."""

    event: NetworkEvent


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes to `side`."""

    side: Side
    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Send no more to `side` (half-close), after what was sent before."""

    side: Side


@dataclass(frozen=True, slots=True)
class Pause:
    """Read no more of `side`, its end included, until Resume."""

    side: Side


@dataclass(frozen=True, slots=True)
class Resume:
    """Read `side` again."""

    side: Side


@dataclass(frozen=True, slots=True)
class Fetch:
    """Have this answered by the cache, or by the upstream; one at a time.

    The answer comes as FetchEvents, the last of them FetchEnded or FetchFailed.
    """

    want: source.Want


@dataclass(frozen=True, slots=True)
class Hold:
    """So many more bytes of the sandbox wait here, until the next verdict that allows something.

    Negative: so many less.
    """

    size: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Copy both directions untouched from here on."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Close both sides in order: what was sent to the sandbox is delivered first."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Close both sides at once; the sandbox sees a reset."""


Command = Dial | Report | Send | End | Pause | Resume | Fetch | Hold | Relay | Finish | Abort


class Layer(Protocol):
    """One connection's protocol as a pure state machine."""

    def handle(self, event: Event) -> Sequence[Command]:
        """Say what to do about `event`. Never raises for anything a peer sent."""
        ...


# --- datagrams: one question, one answer -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a DNS query gets: `reply` is sent after `report` is written. None: nothing."""

    reply: bytes | None
    report: NetworkEvent | None


class Answerer(Protocol):
    """DNS of one sandbox: answers queries and knows which name an address was given to."""

    def answer(self, query: bytes) -> Answer:
        """Answer one UDP query (never raises). DNS over TCP is a Layer around the same names."""
        ...

    def name_of(self, address: str) -> str:
        """Return the name that was given this synthetic address (canonical text), or ""."""
        ...
