"""Where a registry's answers come from: the seam between conversation, cache and upstream.

In: a Want, which policy has granted. Out: calls of its Taker. Never: a judgement of who may have
it; a call of the Taker from within `fetch`, or after `cancel`, `ended` or `failed`.

The content cache and the pool of upstream connections are both Sources; one stands before the
other, and the conversation knows neither.
"""

from dataclasses import dataclass, field
from typing import Protocol

from cleanroom.decide.artifact import Grant
from cleanroom.decide.echo import Sieve
from cleanroom.decide.mirror import Mirror, Mirrors
from cleanroom.decide.model import Deny
from cleanroom.decide.storage import Stored


class Credential(Protocol):
    """What a host is told of a sandbox's secrets: taken from the vault when it is sent."""

    @property
    def identity(self) -> str:
        """A digest of what is told: equal for equal credentials, of whichever sandbox."""
        ...

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        """Return the fields for a request there: none where their binding does not let them go.

        Deny: the value is gone.
        """
        ...

    def sieve(self) -> Sieve:
        """Return what finds the values of this sandbox in an answer."""
        ...


@dataclass(frozen=True, slots=True)
class Want:
    """One request: GET, HEAD, or POST of the grant's body. The path is the grant's too.

    What is "" the client did not say.
    """

    sandbox_id: str
    host: str
    grant: Grant
    accept: str = ""
    method: str = "GET"
    range: str = ""
    if_none_match: str = ""
    offline: bool = False  # nothing may be asked of an upstream
    credential: Credential | None = None
    mirrors: Mirrors = field(default_factory=dict)  # of its registry's hosts
    stored: Stored | None = None  # where its mirror has the file, once that has said so

    @property
    def identity(self) -> str:
        """With whose credentials it is asked for, "" with none."""
        return self.credential.identity if self.credential is not None else ""

    @property
    def mirror(self) -> Mirror | None:
        """Where the operator has this host asked instead."""
        return self.mirrors.get(self.host)


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer. `length` None: nobody knows yet.

    `fields` has lower-case names, and nothing that says how the body is delimited.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    length: int | None
    sender: str = ""  # HOST/PATH that sent it, if a redirect led to another one

    def field(self, name: str) -> str:
        """Return the first value of a field, "" if there is none."""
        return next((value for key, value in self.fields if key == name), "")


@dataclass(frozen=True, slots=True)
class Served:
    """What the audit says when all of it was handed over."""

    cache: str = ""  # "hit", "miss", "stale", "direct"; "" when nothing is known of a cache
    digest: str = ""  # "sha256:<hex>" of the whole artifact
    address: str = ""  # that was dialled for it, "" if nobody was
    through_proxy: bool = False
    storage: str = ""  # the host that a mirror redirected to, "" if it sent the bytes itself


class Taker(Protocol):
    """Who gets an answer: `begun`, then `more` any number of times, then `ended` or `failed`."""

    def begun(self, answer: Answer) -> None:
        """Take the head. An answer to HEAD, 204 and 304 has no `more`."""
        ...

    def more(self, data: bytes) -> None:
        """Take bytes of the body, in order; never empty."""
        ...

    def ended(self, served: Served) -> None:
        """Take note that this was all of it."""
        ...

    def failed(self, deny: Deny) -> None:
        """Take note that no more will come. After `begun` the answer must be seen to be cut."""
        ...


class Fetching(Protocol):
    """One Want on its way."""

    def pause(self) -> None:
        """Hand over no more for now; what is on its way may still come."""
        ...

    def resume(self) -> None:
        """Go on after `pause`."""
        ...

    def cancel(self) -> None:
        """Nobody wants it any more. Idempotent; also after its end."""
        ...


class Source(Protocol):
    """Answers Wants."""

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        """Begin; the Taker is called from later turns."""
        ...
