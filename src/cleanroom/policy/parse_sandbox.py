"""`sandbox`: how long it lives, how strong its walls are, what it may use up.

In: fields. Out: SandboxSection. Never: a limit that is accepted and ignored.
"""

from typing import Final

from cleanroom.policy.demands import Limits
from cleanroom.policy.fields import Fields, Key, ListOf, Section
from cleanroom.policy.model import MisePolicy, NetworkPolicy, SandboxPolicy
from cleanroom.policy.parse_network import NETWORK
from cleanroom.policy.values import choice, count, decimal, flag, size, text
from cleanroom.policy.written import SandboxSection

KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40
MAX_PATHS: Final = 64

# Relative, with globs, below the folder of the policy; no empty, "." or ".." part.
RELATIVE_PATH: Final = r"(?!/)(?!(?:.*/)?\.{0,2}(?:/|$))[^\\\x00-\x1f]+"

_MEMORY = Key("memory", size(16 * MIB, 64 * TIB), None, "Memory of all processes together.")
_PIDS = Key("pids", count(8, 1_000_000), None, "Processes and threads at one time.")
_CPUS = Key("cpus", decimal(0.05, 1024), None, "Processor cores.")
_DISK = Key(
    "disk",
    size(MIB, 64 * TIB),
    None,
    "What may be written to the workspace, and at most to each folder in memory (`/tmp`, home).",
)
_OPEN_FILES = Key("open_files", count(64, 1_048_576), None, "Open files of one process.")
_OUTPUT = Key("output", size(KIB, TIB), None, "Output kept of one command, both streams together.")


def _build_limits(fields: Fields) -> Limits:
    return Limits(
        memory_bytes=fields.read(_MEMORY),
        pids=fields.read(_PIDS),
        cpus=fields.read(_CPUS),
        disk_bytes=fields.read(_DISK),
        open_files=fields.read(_OPEN_FILES),
        output_bytes=fields.read(_OUTPUT),
    )


RESOURCES: Final = Key(
    "resources",
    Section((_MEMORY, _PIDS, _CPUS, _DISK, _OPEN_FILES, _OUTPUT), _build_limits),
    Limits(),
    "Limits the host must enforce, else it refuses to run. Unset: its own defaults.",
)

# mise looks for these names itself, joined by colons, and knows no globs.
_MISE_PATH: Final = r"(?!.*[*?\[:])" + RELATIVE_PATH
_MISE_DEFAULTS = MisePolicy()
_ENABLED = Key(
    "enabled",
    flag(),
    None,
    "Install and apply the tools that the repository's mise files name. `true` refuses a host"
    " without mise, `false` leaves the files alone. Unset: wherever the host has mise.",
    shown="where the host has mise",
)
_AUTO_BOOTSTRAP = Key(
    "auto_bootstrap",
    flag(),
    default=True,
    meaning="Apply them before each command, not only inside `mise exec`.",
    shown="true",
)
_CONFIG_FILES = Key(
    "config_files",
    ListOf(text(_MISE_PATH, "a path inside the repository, without globs"), MAX_PATHS, least=1),
    _MISE_DEFAULTS.config_files,
    "Files that count.",
    shown=f"[{', '.join(_MISE_DEFAULTS.config_files)}]",
)


def _build_mise(fields: Fields) -> MisePolicy:
    return MisePolicy(
        enabled=fields.read(_ENABLED),
        auto_bootstrap=fields.read(_AUTO_BOOTSTRAP),
        config_files=fields.read(_CONFIG_FILES),
    )


MISE: Final = Key(
    "mise",
    Section((_ENABLED, _AUTO_BOOTSTRAP, _CONFIG_FILES), _build_mise),
    _MISE_DEFAULTS,
    "Tools by mise.",
)

_TTL = Key(
    "ttl_minutes",
    count(1, 43_200),
    30,
    "How long a sandbox lives at most; a warning comes two minutes before its end.",
    shown="30",
)
_ISOLATION = Key(
    "isolation",
    choice("namespaces", "gvisor", "vm"),
    "namespaces",
    "The weakest walls that will do. A host without them refuses to run.",
    shown="namespaces",
    later="`gvisor` and `vm` refuse to run",
)
_IMAGE = Key(
    "image",
    text(r"[a-z0-9][A-Za-z0-9._/:@-]*", "an image reference"),
    None,
    "A container image as root file system. Unset: the host's own /usr, read-only.",
    later="refuses to run",
)


def _build_sandbox(fields: Fields) -> SandboxSection:
    rest = SandboxPolicy(
        ttl_s=fields.read(_TTL) * 60,
        isolation=fields.read(_ISOLATION),
        image=fields.read(_IMAGE),
        limits=fields.read(RESOURCES),
        mise=fields.read(MISE),
    )
    return SandboxSection(fields.read(NETWORK), rest)


SANDBOX: Final = Key(
    "sandbox",
    Section((_TTL, NETWORK, _ISOLATION, _IMAGE, RESOURCES, MISE), _build_sandbox),
    SandboxSection(NetworkPolicy(), SandboxPolicy()),
    "The sandbox of a run.",
)
