"""One Struct a message: validation and the OpenAPI document both come from it.

Beside it stand policy_types.py, change_types.py for what a run changed, and streams.py.
In: JSON, unknown fields refused. Out: frozen Structs. Times are RFC 3339 UTC strings or seconds
(`_s`), sizes bytes, durations of timings milliseconds (`_ms`). Never: a secret's value.
"""

from typing import Annotated

from msgspec import Meta, field

from cleanroom.api.cache_types import CacheUse
from cleanroom.api.message import (
    Argument,
    Argv,
    Cells,
    HostPath,
    Message,
    SandboxWord,
    Seconds,
    SignalName,
    Word,
)
from cleanroom.api.mount_types import MountRequests, VolumeRequests, WorkspaceMode
from cleanroom.api.policy_types import MissingCapability, PolicyText
from cleanroom.api.port_types import PortRequests

# --- the daemon itself --------------------------------------------------------------------


class Health(Message, frozen=True):
    """The daemon answers. `idle`: no sandbox lives, so that it may be replaced."""

    status: str  # "ok", or "degraded": `problems` says what does not work
    version: str
    pid: int
    idle: bool
    problems: list[str] = field(default_factory=list)
    sandboxes: int = 0  # that live
    on_demand: bool = False  # a command started it, and another one may replace it
    since: str = ""
    changed: str = ""  # config.yaml, what it names or the program, if the daemon read another one


class Version(Message, frozen=True):
    """What this daemon is."""

    version: str
    api: str
    python: str
    system: str


class BackendReport(Message, frozen=True):
    """What one backend proved on this host; `missing` is one sentence with its repair each."""

    name: str
    ready: bool
    runtime: str = ""
    capabilities: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


class DoctorReport(Message, frozen=True):
    """Each backend and the daemon's own parts. `ready`: at least one backend is."""

    ready: bool
    backends: list[BackendReport]
    gateway: str  # "running", "not started", "lost"
    audit: str  # "writable", or why not


class ConfigValue(Message, frozen=True):
    """One setting as it is in force; `value` is the JSON text of what a file would say."""

    key: str
    value: str
    origin: str  # "default", "CLEANROOM_…", or "…/config.yaml:LINE"


class ConfigReport(Message, frozen=True):
    """The daemon's configuration, each value with its origin."""

    path: str  # of config.yaml, whether it exists or not
    values: list[ConfigValue]
    changed: bool = False  # the file, after the daemon had read it


# --- what went wrong ----------------------------------------------------------------------


class PlacedError(Message, frozen=True):
    """One fault in a file of the caller; line and column start at 1."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""


class Problem(Message, frozen=True):
    """RFC 9457 problem document; `code` is stable, `title` is not."""

    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    type: str = "about:blank"
    instance: str = ""
    errors: list[PlacedError] = field(default_factory=list)


class Failure(Message, frozen=True):
    """Why a run has no exit code of its own workload."""

    code: str
    reason: str
    hint: str = ""


# --- runs, sandboxes, executions: requests ------------------------------------------------


class RunOptions(Message, frozen=True):
    """What `exec` flags say."""

    backend: Word | None = None
    isolation: Word | None = None
    environment: dict[Argument, Argument] = field(default_factory=dict)
    cwd: HostPath = ""  # inside; "" is the folder matching the caller's own
    timeout_s: Seconds | None = None
    tty: bool = False
    rows: Cells = 24
    columns: Cells = 80
    keep: bool = False  # the sandbox stays after the run
    keep_on_failure: bool = False  # it stays if the command did not succeed
    sandbox: SandboxWord | None = None  # create under this name, or run in it
    reuse: bool = False  # without a name: run in this workspace's newest one that stays
    recreate: bool = False  # end the one that is meant first
    idle_s: Seconds | None = None  # a new one that stays ends when nothing ran in it for so long
    stdin: bool = False  # the client will send standard input; otherwise it is closed at once
    detach: bool = False  # nobody attaches
    publish: PortRequests = field(default_factory=list)  # before the command starts
    workspace_mode: WorkspaceMode | None = None  # None: what the daemon's configuration says
    mounts: MountRequests = field(default_factory=list)
    volumes: VolumeRequests = field(default_factory=list)
    offline: bool = False  # nothing is asked of any upstream; registries answer from the cache
    approved_policy: Word = ""  # the one hash that may run, whatever was approved here before
    secrets: dict[Word, list[Word]] = field(
        default_factory=dict
    )  # ids given by flag -> hosts approved for this run
    handover: Word = ""  # the ticket of `hand_over` for the values


class ClientFacts(Message, frozen=True):
    """What only the client can know: its user configuration, its PATH, its terminal. No secrets."""

    path: Argument = ""
    term: Word = ""
    colorterm: Word = ""
    lang: Word = ""
    tz: Word = ""
    no_color: bool = False
    git_name: Word = ""
    git_email: Word = ""
    registries: dict[Word, HostPath] = field(
        default_factory=dict
    )  # "npm" -> registry URL without credentials


class SandboxRequest(Message, frozen=True):
    """Create a sandbox of a workspace under a policy; it stays until its TTL or a stop."""

    workspace: HostPath  # canonical host path of the workspace root
    policy: PolicyText = PolicyText()
    options: RunOptions = RunOptions()
    facts: ClientFacts = ClientFacts()


class RunRequest(Message, frozen=True):
    """One `exec`: one argument of `command` goes to the shell, several are an argv."""

    workspace: HostPath
    command: Argv
    subfolder: HostPath = ""  # of the workspace, where the caller stood
    policy: PolicyText = PolicyText()
    options: RunOptions = RunOptions()
    facts: ClientFacts = ClientFacts()


class ExecutionRequest(Message, frozen=True):
    """One command in a live sandbox."""

    command: Argv
    subfolder: HostPath = ""
    options: RunOptions = RunOptions()


class ExtendRequest(Message, frozen=True):
    """A sandbox is to live this long from now on."""

    ttl_s: Annotated[float, Meta(ge=1, le=2_592_000)]  # as sandbox.ttl_minutes: 30 days at most


class PruneRequest(Message, frozen=True):
    """Remove the sandboxes that ended this long ago, or longer."""

    older_than_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 0


class SignalRequest(Message, frozen=True):
    """A signal for a workload, by name ("TERM")."""

    signal: SignalName


# --- runs, sandboxes, executions: answers -------------------------------------------------


class Denial(Message, frozen=True):
    """Equal refusals of one run, counted."""

    name: str
    address: str
    port: int
    protocol: str
    code: str
    reason: str
    count: int = 1
    artifact: str = ""  # of a registry, e.g. "left-pad 1.3.0"
    registry: str = ""  # e.g. "npm"


class Execution(Message, frozen=True):
    """One command in a sandbox. `state` is a word of sandbox/state.py."""

    id: str
    sandbox_id: str
    run_id: str
    command: list[str]
    state: str
    created_at: str
    tty: bool = False  # it has a terminal
    stdin: bool = False  # its standard input was left open for who attaches
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    failure: Failure | None = None
    stdout_bytes: int | None = None  # what it wrote in all, once it has ended
    stderr_bytes: int | None = None


class Sandbox(Message, frozen=True):
    """One isolated environment with one compiled policy."""

    id: str
    name: str | None
    state: str
    backend: str
    workspace: str
    policy_hash: str
    created_at: str
    expires_at: str | None
    ephemeral: bool
    idle_s: float | None = None  # it ends when nothing has run in it for this long
    finished_at: str | None = None
    project: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)  # limit -> how it is enforced
    failure: Failure | None = None


class Run(Message, frozen=True):
    """One exec from request to result; also the content of run-observability.json."""

    id: str
    sandbox_id: str
    execution_id: str
    state: str
    command: list[str]
    workspace: str
    backend: str
    policy_hash: str
    created_at: str
    finished_at: str | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    denied: list[Denial] = field(default_factory=list)
    timings: dict[str, float | None] = field(default_factory=dict)
    changed_files: int | None = None
    cache: CacheUse | None = None  # None: no registry was asked
    notes: list[str] = field(
        default_factory=list
    )  # said once to the person: left-out files, no policy, shadowed policy
    environment: dict[str, str] = field(
        default_factory=dict
    )  # versions and paths that make the run reproducible
    project: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)  # limit -> how it was enforced


class RunPlan(Message, frozen=True):
    """What `exec --dry-run` shows: everything decided, nothing started."""

    backend: str
    policy_hash: str
    argv: list[str]
    cwd: str
    environment: dict[str, str]
    mounts: list[str]
    required_capabilities: list[str]
    missing_capabilities: list[MissingCapability]
    notes: list[str] = field(default_factory=list)


class RunList(Message, frozen=True):
    """Newest first; `next` is the id to pass as `before` for the rest, None at the end."""

    runs: list[Run]
    next: str | None = None


class SandboxList(Message, frozen=True):
    """Newest first; ended ones only with `?all=true`."""

    sandboxes: list[Sandbox]
    next: str | None = None


class PruneReport(Message, frozen=True):
    """The ids of what was removed, oldest first."""

    removed: list[str]


class ExecutionList(Message, frozen=True):
    """Newest first."""

    executions: list[Execution]
    next: str | None = None


# --- the audit log -----------------------------------------------------------------------


class AuditVerification(Message, frozen=True):
    """Whether the chain holds; otherwise the first bad place ("FILE:LINE") and why."""

    ok: bool
    lines: int
    place: str = ""
    reason: str = ""
