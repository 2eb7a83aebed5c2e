"""Messages about policies: what the client asks of a text, and what it means.

In: JSON, unknown fields refused. Out: frozen Structs. Times are RFC 3339 UTC strings or seconds
(`_s`), sizes bytes, durations of timings milliseconds (`_ms`). Never: a secret's value.
"""

from typing import Annotated

from msgspec import Meta, field

from cleanroom.api.message import HostPath, LockText, Message, Text, Word
from cleanroom.lockfile.paths import MAX_FILES


class PolicyText(Message, frozen=True):
    """A policy file as the client found it; `text` None: there is none, everything is denied."""

    path: HostPath = ""  # relative to the workspace
    text: Text | None = None
    shadowed: bool = False  # .buildkite/cleanroom.yaml exists too, and is ignored
    lockfiles: Annotated[dict[HostPath, LockText], Meta(max_length=MAX_FILES)] = field(
        default_factory=dict
    )  # path relative to the workspace -> text, of those that it names
    agent: Word = ""  # "RECIPE/SECRET": what `exec --agent` adds to this run, on a person's word


class PolicyRequest(Message, frozen=True):
    """Judge this policy."""

    policy: PolicyText
    backend: Word | None = None


class LockfileNames(Message, frozen=True):
    """Paths and globs of the lock files whose texts have to come with this policy."""

    patterns: list[str]


class PolicyRule(Message, frozen=True):
    """One network rule as it is enforced; `line` 0: not written in the file itself."""

    rule: str
    kind: str  # "exact", "wildcard", "network"
    host: str
    ports: list[int]
    line: int = 0
    inspect: bool = False
    ech: bool = False


class RegistryReport(Message, frozen=True):
    """One registry section as it is understood."""

    manager: str
    enabled: bool
    allowed_hosts: list[str]
    cache_ref: str | None = None
    fallback: str = "deny"
    lockfile_mode: str = "off"
    lockfiles: list[str] = field(default_factory=list)
    pinned: int = 0  # artifacts that the lock files hold by digest
    first_seen: int = 0  # those held by name and version, then by the digest seen first
    unpinned: list[str] = field(default_factory=list)  # entries that nothing can be held to


class PushReport(Message, frozen=True):
    """What may be pushed."""

    branches: list[str]
    force: bool = False
    delete: bool = False


class GitReport(Message, frozen=True):
    """Which repositories a secret is git's credential for."""

    repositories: list[str]
    push: PushReport | None = None


class SecretReport(Message, frozen=True):
    """One secret binding; never a value."""

    id: str
    env: str
    allowed_hosts: list[str]
    git: GitReport | None = None


class SandboxReport(Message, frozen=True):
    """The `sandbox` section as it is enforced."""

    ttl_s: int
    isolation: str
    image: str | None = None
    resources: dict[str, float] = field(default_factory=dict)
    mise: bool | None = None


class MissingCapability(Message, frozen=True):
    """A capability that the policy needs and the backend did not prove."""

    capability: str
    needed_by: str  # what in the policy needs it
    reason: str


class PolicyReport(Message, frozen=True):
    """The effective plan of a valid policy. `runnable`: the named backend proves all it needs."""

    policy_hash: str
    path: str
    default_action: str
    allow: list[PolicyRule]
    deny: list[PolicyRule]
    registries: list[RegistryReport]
    secrets: list[SecretReport]
    sandbox: SandboxReport
    backend: str
    required_capabilities: list[str]
    missing_capabilities: list[MissingCapability]
    runnable: bool
    notes: list[str] = field(default_factory=list)
    project: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


class PolicyExplanation(Message, frozen=True):
    """The same policy in sentences."""

    policy_hash: str
    lines: list[str]
    notes: list[str] = field(default_factory=list)


class PolicyCheckRequest(Message, frozen=True):
    """Would this policy let a connection to `host`:`port` through?"""

    policy: PolicyText
    host: Annotated[str, Meta(min_length=1, max_length=1024)]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class PolicyCheck(Message, frozen=True):
    """The verdict on a target; `code` and `reason` are "" if it is allowed.

    `registry`: what passes at a host of an enabled registry, and nothing else does.
    """

    allowed: bool
    host: str
    port: int
    rule: str = ""
    line: int = 0
    code: str = ""
    reason: str = ""
    registry: str = ""


class PolicySuggestRequest(Message, frozen=True):
    """Smallest rules for what a run was refused; `run_id` None: the last run of `workspace`."""

    policy: PolicyText
    run_id: Word | None = None
    workspace: HostPath = ""


class PolicySuggestion(Message, frozen=True):
    """`text` is the whole new file with its comments kept; equal if nothing is to add."""

    run_id: str
    rules: list[PolicyRule]
    text: str
    changed: bool
    notes: list[str] = field(default_factory=list)


class PolicyChange(Message, frozen=True):
    """One thing that a newer policy permits beyond an older one, or no longer permits."""

    effect: str  # "wider" or "narrower"
    text: str


class PolicyDiffRequest(Message, frozen=True):
    """Compare two policy texts."""

    old: PolicyText
    new: PolicyText


class PolicyDiff(Message, frozen=True):
    """`wider`: the newer one would need an approval where the older one is approved."""

    old_hash: str
    new_hash: str
    wider: bool
    changes: list[PolicyChange]


class ApprovalRequest(Message, frozen=True):
    """Approve this policy for this workspace; with `check`, only say what that would approve.

    A `policy_hash` that is not the text's is refused: the person saw another policy.
    """

    workspace: HostPath
    policy: PolicyText
    policy_hash: Word = ""
    check: bool = False


class PolicyApproval(Message, frozen=True):
    """`needed`: a run would have been refused before. `reason` is a sentence, "" if not needed.

    `secrets`: those that nobody approved here, in words; a run that hands none over needs no
    approval of them.
    """

    policy_hash: str
    approved: bool
    needed: bool
    reason: str
    reach: list[str]
    changes: list[PolicyChange]
    secrets: list[str] = field(default_factory=list)


class PolicyReloadRequest(Message, frozen=True):
    """Hold living sandboxes of this workspace to this policy; without names, all of them."""

    workspace: HostPath
    policy: PolicyText
    sandboxes: list[Word] = field(default_factory=list)


class ReloadedSandbox(Message, frozen=True):
    """What became of one: `outcome` is "narrowed", "same" or "refused", which changed nothing.

    `changes` are what holds now, or of one that was refused what is wider. `later` is what this
    sandbox keeps from its making; the policy's new word holds for the next one.
    """

    id: str
    name: str | None
    outcome: str
    policy_hash: str  # of what it is held to now
    changes: list[PolicyChange] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    reason: str = ""


class PolicyReload(Message, frozen=True):
    """The living sandboxes that were meant."""

    sandboxes: list[ReloadedSandbox]


class PolicyInitRequest(Message, frozen=True):
    """What the client found for a first policy. Hosts and paths, no credentials, no whole URLs."""

    project: Word = ""
    lockfiles: dict[str, str] = field(default_factory=dict)  # file name -> text
    repositories: dict[str, list[str]] = field(
        default_factory=dict
    )  # file name -> hosts of git repositories whose commits it names
    configured: dict[str, list[str]] = field(
        default_factory=dict
    )  # "npm" -> HOST or HOST/PATH of its configured registries
    defaults: dict[str, list[str]] = field(
        default_factory=dict
    )  # "pip" -> HOST or HOST/PATH that it uses when nothing is said
    git_remotes: list[Word] = field(default_factory=list)
    managers: list[Word] = field(
        default_factory=list
    )  # package managers whose files are in the workspace


class PolicyInit(Message, frozen=True):
    """The text of a first cleanroom.yaml."""

    text: str
    notes: list[str] = field(default_factory=list)
