"""Every key of config.yaml: parser, documentation and `config show` read this one table.

In: nothing. Out: CONFIG. Never: a key that nothing obeys.
"""

from typing import Final, cast, get_args

from cleanroom.api.mount_types import MountRequest, WorkspaceMode
from cleanroom.daemon.config_mirrors import MIRRORS, read_mirrors
from cleanroom.daemon.config_secrets import FOREIGN_CREDENTIALS, SECRETS
from cleanroom.daemon.config_services import HOST_SERVICES
from cleanroom.daemon.settings import (
    CacheSettings,
    DaemonSettings,
    GatewaySettings,
    LimitSettings,
    MiseSettings,
    Settings,
    WorkspaceSettings,
)
from cleanroom.policy import values
from cleanroom.policy.fields import Fields, Key, Leaf, ListOf, Section

_ADDRESS: Final = r"[0-9A-Fa-f:.\[\]]{2,60}"
_ENDPOINT: Final = r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}"
_FOLDER: Final = values.text(r"/[^\0:]*", "an absolute path", 4096)

_GATEWAY: Final = GatewaySettings()
PRIVATE_HOSTS: Final = Key(
    "private_hosts",
    ListOf(values.hosts_or_addresses(), 256),
    _GATEWAY.private_hosts,
    "Names that may resolve to private addresses of this network, and addresses of it that may be"
    " dialled, whatever name led there. A policy must allow them too.",
    "none",
)
RESOLVERS: Final = Key(
    "resolvers",
    ListOf(values.text(_ADDRESS, "an IP address, with or without a port"), 8),
    _GATEWAY.resolvers,
    "DNS servers that the gateway asks.",
    "those of the host",
)
TRUST: Final = Key(
    "trust",
    ListOf(_FOLDER, 32),
    _GATEWAY.trust,
    "PEM files with extra root certificates, for the gateway and inside sandboxes.",
    "none",
)
PROXY: Final = Key(
    "proxy",
    values.text(_ENDPOINT, "HOST:PORT"),
    _GATEWAY.proxy,
    "A CONNECT proxy that the gateway dials through, HOST:PORT.",
    "none",
)

_LIMITS: Final = LimitSettings()
MOST_SANDBOXES: Final = Key(
    "sandboxes",
    values.count(1, 10_000),
    _LIMITS.sandboxes,
    "How many sandboxes may live at once.",
    "64",
)
MOST_EXECUTIONS: Final = Key(
    "executions",
    values.count(1, 96),
    _LIMITS.executions,
    "How many commands may run in one sandbox at once.",
    "64",
)
KEPT_OUTPUT: Final = Key(
    "kept_output",
    values.size(1 << 16, 1 << 30),
    _LIMITS.kept_output,
    "How much of a command's newest output is kept in memory for those who attach late.",
    "4MiB",
)
OUTPUT_WINDOW: Final = Key(
    "output_window",
    values.size(1 << 16, 1 << 30),
    _LIMITS.output_window,
    "How far a command may run ahead of the client that reads it.",
    "1MiB",
)
OUTPUT_ON_DISK: Final = Key(
    "output_on_disk",
    values.size(1 << 16, 1 << 40),
    _LIMITS.output_on_disk,
    "How much of a command's newest output is kept on disk, for `logs` also after its end.",
    "64MiB",
)
KEPT_OUTPUTS: Final = Key(
    "kept_outputs",
    values.size(1 << 20, 1 << 44),
    _LIMITS.kept_outputs,
    "How much space the output of ended commands may take together; the oldest goes first.",
    "1GiB",
)
KEEP_OUTPUTS_FOR: Final = Key(
    "keep_outputs_for",
    values.duration(60, 365 * 86_400),
    _LIMITS.keep_outputs_for,
    "How long the output of an ended command is kept.",
    "168h",
)
KEPT_CHANGES: Final = Key(
    "kept_changes",
    values.size(1 << 20, 1 << 44),
    _LIMITS.kept_changes,
    "How much space the changes of ended sandboxes may take together; the oldest go first.",
    "4GiB",
)
KEEP_CHANGES_FOR: Final = Key(
    "keep_changes_for",
    values.duration(60, 365 * 86_400),
    _LIMITS.keep_changes_for,
    "How long the changes of an ended sandbox are kept.",
    "24h",
)
KEPT_AUDIT: Final = Key(
    "kept_audit",
    values.size(1 << 20, 1 << 44),
    _LIMITS.kept_audit,
    "How much space the audit log may take; its oldest files go first, the newest never.",
    "1GiB",
)
KEEP_AUDIT_FOR: Final = Key(
    "keep_audit_for",
    values.duration(86_400, 100 * 365 * 86_400),
    _LIMITS.keep_audit_for,
    "How long a line of the audit log is kept, and at most a week more: files go as a whole.",
    "8760h",
)

VOLUME: Final = Key(
    "volume",
    values.size(1 << 20, 1 << 44),
    _LIMITS.volume,
    "How much each volume (`--volume`) may hold.",
    "8GiB",
)

_DAEMON: Final = DaemonSettings()
AUTOSTART: Final = Key(
    "autostart",
    values.flag(),
    _DAEMON.autostart,
    "Whether a command that finds no daemon may start one.",
    "true",
)
IDLE_EXIT: Final = Key(
    "idle_exit",
    values.duration(1, 365 * 86_400),
    _DAEMON.idle_exit,
    "How long a daemon that was started by a command waits for the next one, without a sandbox.",
    "15m",
)
STOP_GRACE: Final = Key(
    "stop_grace",
    values.duration(1, 600),
    _DAEMON.stop_grace,
    "How long a command has between SIGTERM and SIGKILL.",
    "5s",
)
ATTACH_WAIT: Final = Key(
    "attach_wait",
    values.duration(1, 3600),
    _DAEMON.attach_wait,
    "How long a foreground command waits for its client before it is canceled.",
    "5s",
)

_WORKSPACE: Final = WorkspaceSettings()
MODE: Final = Key(
    "mode",
    cast("Leaf[WorkspaceMode]", values.choice(*get_args(WorkspaceMode))),
    _WORKSPACE.mode,
    "How sandboxes have the workspace without --workspace: cow, ro or live.",
    "cow",
)
MOUNTS: Final = Key(
    "mounts",
    ListOf(values.text(r"/[^\0:]*(:/[^\0:]*)?(:r[ow])?", "DIR, DIR:/AT or DIR:/AT:rw", 8192), 8),
    (),
    "More folders that every sandbox has, as --mount shows them.",
    "none",
)

_MISE: Final = MiseSettings()
PROGRAM: Final = Key(
    "program",
    _FOLDER,
    _MISE.program,
    "The mise program that sandboxes get.",
    "`mise` of the caller's PATH",
)
SHA256: Final = Key(
    "sha256",
    values.text(r"[0-9a-f]{64}", "a SHA-256 checksum in lower case"),
    _MISE.sha256,
    "What the mise program must be. Another one is refused.",
    "any",
)
KEPT_TOOLS: Final = Key(
    "kept_tools",
    values.size(1 << 20, 1 << 44),
    _MISE.kept_tools,
    "How much space the tools that mise installed may take; those not used for longest go first.",
    "10GiB",
)


_CACHE: Final = CacheSettings()
CACHE_SIZE: Final = Key(
    "size",
    values.size(1 << 20, 1 << 44),
    _CACHE.size,
    "How much space packages and their metadata may take; those not used for longest go first.",
    "10GiB",
)


def _build_gateway(fields: Fields) -> GatewaySettings:
    return GatewaySettings(
        private_hosts=fields.read(PRIVATE_HOSTS),
        host_services=fields.read(HOST_SERVICES),
        resolvers=fields.read(RESOLVERS),
        trust=fields.read(TRUST),
        proxy=fields.read(PROXY),
        foreign_credentials=fields.read(FOREIGN_CREDENTIALS),
    )


def _build_limits(fields: Fields) -> LimitSettings:
    return LimitSettings(
        sandboxes=fields.read(MOST_SANDBOXES),
        executions=fields.read(MOST_EXECUTIONS),
        kept_output=fields.read(KEPT_OUTPUT),
        output_window=fields.read(OUTPUT_WINDOW),
        output_on_disk=fields.read(OUTPUT_ON_DISK),
        kept_outputs=fields.read(KEPT_OUTPUTS),
        keep_outputs_for=fields.read(KEEP_OUTPUTS_FOR),
        kept_changes=fields.read(KEPT_CHANGES),
        keep_changes_for=fields.read(KEEP_CHANGES_FOR),
        volume=fields.read(VOLUME),
        kept_audit=fields.read(KEPT_AUDIT),
        keep_audit_for=fields.read(KEEP_AUDIT_FOR),
    )


def _build_daemon(fields: Fields) -> DaemonSettings:
    return DaemonSettings(
        autostart=fields.read(AUTOSTART),
        idle_exit=fields.read(IDLE_EXIT),
        stop_grace=fields.read(STOP_GRACE),
        attach_wait=fields.read(ATTACH_WAIT),
    )


def _build_workspace(fields: Fields) -> WorkspaceSettings:
    mounts = tuple(_mount(text) for text in fields.read(MOUNTS))
    return WorkspaceSettings(mode=fields.read(MODE), mounts=mounts)


def _mount(text: str) -> MountRequest:
    path, *rest = text.split(":")
    at = next((word for word in rest if word.startswith("/")), "")
    return MountRequest(path=path, at=at, writable=rest[-1:] == ["rw"])


def _build_mise(fields: Fields) -> MiseSettings:
    return MiseSettings(
        program=fields.read(PROGRAM),
        sha256=fields.read(SHA256),
        kept_tools=fields.read(KEPT_TOOLS),
    )


TOOLS: Final = Key(
    "tools",
    ListOf(_FOLDER, 64),
    (),
    "Folders of tools (nvm, pyenv, uv) that sandboxes see read-only, and find on their PATH.",
    "none",
)
APPROVALS: Final = Key(
    "approvals",
    values.choice("ask", "notice"),
    "ask",
    "Whether a policy that reaches more than was approved waits for `cleanroom policy approve`, or"
    " is only told of.",
    "ask",
)
GATEWAY: Final = Key(
    "gateway",
    Section(
        (PRIVATE_HOSTS, HOST_SERVICES, RESOLVERS, TRUST, PROXY, FOREIGN_CREDENTIALS),
        _build_gateway,
    ),
    _GATEWAY,
    "How the gateway reaches the world.",
)
LIMITS: Final = Key(
    "limits",
    Section(
        (
            MOST_SANDBOXES,
            MOST_EXECUTIONS,
            KEPT_OUTPUT,
            OUTPUT_WINDOW,
            OUTPUT_ON_DISK,
            KEPT_OUTPUTS,
            KEEP_OUTPUTS_FOR,
            KEPT_CHANGES,
            KEEP_CHANGES_FOR,
            VOLUME,
            KEPT_AUDIT,
            KEEP_AUDIT_FOR,
        ),
        _build_limits,
    ),
    _LIMITS,
    "Bounds of the daemon itself.",
)
DAEMON: Final = Key(
    "daemon",
    Section((AUTOSTART, IDLE_EXIT, STOP_GRACE, ATTACH_WAIT), _build_daemon),
    _DAEMON,
    "The daemon's process.",
)

WORKSPACE: Final = Key(
    "workspace",
    Section((MODE, MOUNTS), _build_workspace),
    _WORKSPACE,
    "How workspaces are shown to sandboxes.",
)

MISE: Final = Key(
    "mise",
    Section((PROGRAM, SHA256, KEPT_TOOLS), _build_mise),
    _MISE,
    "Tools by mise, of repositories that name them.",
)


CACHE: Final = Key(
    "cache",
    Section((CACHE_SIZE,), lambda fields: CacheSettings(size=fields.read(CACHE_SIZE))),
    _CACHE,
    "The content cache of registries.",
)


def _build(fields: Fields) -> Settings:
    secrets = fields.read(SECRETS)
    return Settings(
        tools=fields.read(TOOLS),
        approvals=fields.read(APPROVALS),
        gateway=fields.read(GATEWAY),
        limits=fields.read(LIMITS),
        daemon=fields.read(DAEMON),
        workspace=fields.read(WORKSPACE),
        mise=fields.read(MISE),
        cache=fields.read(CACHE),
        secrets=secrets,
        mirrors=read_mirrors(fields, frozenset(secret_id for secret_id, _ in secrets)),
    )


CONFIG: Final[Section[Settings]] = Section(
    (TOOLS, APPROVALS, GATEWAY, LIMITS, DAEMON, WORKSPACE, MISE, CACHE, SECRETS, MIRRORS),
    _build,
    elsewhere={"private_hosts": "it belongs under 'gateway'"},
)
