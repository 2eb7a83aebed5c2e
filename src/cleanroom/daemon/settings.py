"""The daemon's settings as values; config.py reads them, everything else only sees these.

In: nothing. Out: Settings with its defaults. Never: a policy; nothing here widens one but
`gateway.private_hosts`, `gateway.host_services`, `gateway.foreign_credentials` and `mirrors`, which
the operator alone can name.
"""

from dataclasses import dataclass, field

from cleanroom.api.mount_types import MountRequest, WorkspaceMode
from cleanroom.decide.mirror import Mirror

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway reaches the world. `trust` are paths of PEM files with extra roots."""

    private_hosts: tuple[str, ...] = ()
    host_services: tuple[tuple[str, str], ...] = ()  # "NAME:PORT" inside, "ADDRESS:PORT" here
    resolvers: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    proxy: str = ""
    foreign_credentials: tuple[tuple[str, str], ...] = ()  # bound host, "strip" or "pass"


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Bounds of the daemon itself, so that no caller and no workload can exhaust it."""

    sandboxes: int = 64
    executions: int = 64  # live ones in one sandbox
    kept_output: int = 4 * MIB  # bytes
    output_window: int = MIB  # bytes
    output_on_disk: int = 64 * MIB  # bytes, of one command
    kept_outputs: int = 1024 * MIB  # bytes, of all commands
    keep_outputs_for: int = 7 * 86_400  # seconds
    kept_changes: int = 4096 * MIB  # bytes
    keep_changes_for: int = 86_400  # seconds
    volume: int = 8192 * MIB  # bytes, of each
    kept_audit: int = 1024 * MIB  # bytes
    keep_audit_for: int = 365 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """The process. `autostart` is read by clients."""

    autostart: bool = True
    idle_exit: int = 900  # seconds
    stop_grace: int = 5
    attach_wait: int = 5


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """How workspaces are shown where the person does not say."""

    mode: WorkspaceMode = "cow"
    mounts: tuple[MountRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class MiseSettings:
    """Where the mise program is, what it must be, how much its tools may take."""

    program: str = ""
    sha256: str = ""
    kept_tools: int = 10_240 * MIB  # bytes


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The content cache of packages."""

    size: int = 10_240 * MIB  # bytes


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where the client finds a secret's value; `hosts` are those the operator lets it go to."""

    provider: str  # "env", "file", "command" or "keyring"
    words: tuple[
        str, ...
    ]  # a name; a path, perhaps with a JSON pointer; an argv; attributes, each with its value
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything config.yaml can say."""

    tools: tuple[str, ...] = ()
    approvals: str = "ask"
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    workspace: WorkspaceSettings = field(default_factory=WorkspaceSettings)
    mise: MiseSettings = field(default_factory=MiseSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    secrets: tuple[tuple[str, SecretSource], ...] = ()
    mirrors: tuple[Mirror, ...] = ()
