"""Messages about secrets: what a run would need, and where the client finds it.

In: JSON, unknown fields refused. Out: frozen Structs. Never: a secret's value; those go by
descriptor (the endpoint `hand_over`), and what stands for them here is a ticket.
"""

from msgspec import field

from cleanroom.api.message import HostPath, Message
from cleanroom.api.policy_types import PolicyText
from cleanroom.api.types import RunOptions


class SecretNeedsRequest(Message, frozen=True):
    """Which values would a run take? `run`: refuse as the run would, before a value is read."""

    workspace: HostPath
    policy: PolicyText = PolicyText()
    options: RunOptions = RunOptions()
    run: bool = False


class SecretSource(Message, frozen=True):
    """What the operator's configuration says of a secret: provider and its words."""

    provider: str  # "env", "file", "command" or "keyring"
    words: list[str]


class SecretNeed(Message, frozen=True):
    """One binding of the policy. `unapproved`: its hosts that nobody approved for it here."""

    id: str
    env: str
    allowed_hosts: list[str]
    ports: list[int]
    places: list[str]
    required: bool
    header: str | None = None
    kind: str = "static"
    source: SecretSource | None = None
    unapproved: list[str] = field(default_factory=list)


class MirrorNeed(Message, frozen=True):
    """A secret that the operator's mirrors of some hosts want, and its name in the hand-over."""

    id: str
    value_id: str
    mirror_of: list[str]
    source: SecretSource | None = None


class SecretNeeds(Message, frozen=True):
    """Every binding. `taken` False: the run goes into a sandbox that has its values already."""

    secrets: list[SecretNeed]
    taken: bool = True
    mirrors: list[MirrorNeed] = field(default_factory=list)
