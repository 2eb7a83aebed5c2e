"""One Struct a message: validation and the OpenAPI document both come from it.

In: JSON, unknown fields refused. Out: frozen Structs. Times are RFC 3339 UTC strings or seconds
(`_s`), sizes bytes, durations of timings milliseconds (`_ms`). Never: a secret's value.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every message."""


class PolicyText(Message):
    """A policy file as the client found it; `text` None: there is none, everything is denied."""

    path: str = ""  # relative to the workspace
    text: str | None = None
    shadowed: bool = False  # .buildkite/cleanroom.yaml exists too, and is ignored


class RunOptions(Message):
    """What `exec` flags say."""

    backend: str | None = None
    isolation: str | None = None
    environment: dict[str, str] = {}
    cwd: str = ""  # inside; "" is the folder matching the caller's own
    timeout_s: float | None = None
    tty: bool = False
    rows: int = 24
    columns: int = 80
    keep: bool = False  # the sandbox stays after the run
    sandbox: str | None = None  # create under this name, or run in it
    stdin: bool = False  # the client will send standard input; otherwise it is closed at once
    detach: bool = False  # nobody attaches


class ClientFacts(Message):
    """What only the client can know: its user configuration, its PATH, its terminal. No secrets."""

    path: str = ""
    term: str = ""
    colorterm: str = ""
    lang: str = ""
    tz: str = ""
    no_color: bool = False
    git_name: str = ""
    git_email: str = ""
    registries: dict[str, str] = {}  # "npm" -> registry URL without credentials


class SandboxRequest(Message):
    """Create a sandbox of a workspace under a policy."""

    workspace: str  # canonical host path of the workspace root
    policy: PolicyText = PolicyText()
    options: RunOptions = RunOptions()
    facts: ClientFacts = ClientFacts()


class RunRequest(Message):
    """One `exec`: one argument of `command` goes to the shell, several are an argv."""

    workspace: str
    command: list[str]
    subfolder: str = ""  # of the workspace, where the caller stood
    policy: PolicyText = PolicyText()
    options: RunOptions = RunOptions()
    facts: ClientFacts = ClientFacts()


class ExecutionRequest(Message):
    """One command in a live sandbox."""

    command: list[str]
    options: RunOptions = RunOptions()


class Failure(Message):
    """Why a run has no exit code of its own workload."""

    code: str
    reason: str
    hint: str = ""


class Denial(Message):
    """Equal refusals of one run, counted."""

    name: str
    address: str
    port: int
    protocol: str
    code: str
    reason: str
    count: int = 1


class Execution(Message):
    """One command in a sandbox. `state` is a word of sandbox/state.py."""

    id: str
    sandbox_id: str
    run_id: str
    command: list[str]
    state: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    failure: Failure | None = None


class Sandbox(Message):
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
    project: dict[str, str] = {}
    metadata: dict[str, str] = {}
    limits: dict[str, str] = {}  # limit -> how it is enforced
    failure: Failure | None = None


class Run(Message):
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
    denied: list[Denial] = []
    timings: dict[str, float | None] = {}
    changed_files: int | None = None
    notes: list[str] = []  # said once to the person: left-out files, no policy, shadowed policy
    environment: dict[str, str] = {}  # versions and paths that make the run reproducible
    project: dict[str, str] = {}
    metadata: dict[str, str] = {}


class SignalRequest(Message):
    """A signal for a workload, by name ("TERM") ."""

    signal: str
