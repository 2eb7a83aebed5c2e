"""The compiled policy: frozen, hashed, the only policy anything below the compiler ever sees.

In: nothing. Out: closed value types. Never: defaults on read, or a secret's value.
Times are seconds, sizes bytes, lines and columns start at 1.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.demands import NO_LIMITS, Capability, Limits

CONTENT_CACHE = "content-cache"  # the name of the one content cache that a daemon has
# The type of the package URLs of each manager whose packages are known by name.
PURL_TYPES = {"npm": "npm", "pypi": "pypi", "cargo": "cargo", "go": "golang"}


class RuleKind(StrEnum):
    """How a rule names its target."""

    EXACT = "exact"  # one canonical host name
    WILDCARD = "wildcard"  # "*.example.com": all below, never the apex; value is "example.com"
    NETWORK = "network"  # an IP address or CIDR block, canonical text


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the policy file something was written; (0, 0) if nowhere (a default)."""

    line: int = 0
    column: int = 0
    preset: str = ""  # the name that stands there for it (policy/presets.py)


@dataclass(frozen=True, slots=True)
class Rule:
    """One network rule after expansion: canonical value, sorted ports, never empty."""

    kind: RuleKind
    value: str
    ports: tuple[int, ...]
    inspect: bool = False
    ech_allowed: bool = False
    place: Place = field(default=Place(), compare=False)
    port_places: tuple[Place, ...] = field(default=(), compare=False)

    def place_of(self, port: int) -> Place:
        """Return where this port was written: equal rules of several lines are one rule."""
        return dict(zip(self.ports, self.port_places, strict=False)).get(port, self.place)

    @property
    def rule_id(self) -> str:
        """What audit lines and messages call this rule, e.g. `*.example.com:80,443`."""
        host = f"*.{self.value}" if self.kind is RuleKind.WILDCARD else self.value
        return f"{host}:{','.join(map(str, self.ports))}"


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Deny is the only default action; empty `allow_rules` means no egress at all."""

    allow_rules: tuple[Rule, ...] = ()
    deny_rules: tuple[Rule, ...] = ()
    default_action: str = "deny"


@dataclass(frozen=True, slots=True)
class MisePolicy:
    """`sandbox.mise`; `enabled` None means: not said by the policy."""

    enabled: bool | None = None
    auto_bootstrap: bool = True
    config_files: tuple[str, ...] = (".mise.toml", ".mise/config.toml", "mise.toml")


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """Everything of the `sandbox` section but its network."""

    ttl_s: int = 1800
    isolation: str = "namespaces"
    image: str | None = None
    limits: Limits = NO_LIMITS
    mise: MisePolicy = MisePolicy()


@dataclass(frozen=True, slots=True)
class LockfilePolicy:
    """`registries.X.lockfile_enforcement`; `lockfiles` are paths or globs beside the policy."""

    enabled: bool = False
    mode: str = "deny_unknown"
    lockfiles: tuple[str, ...] = ()

    @property
    def in_force(self) -> str:
        """The mode that counts: "off" where nothing is enabled."""
        return self.mode if self.enabled else "off"


@dataclass(frozen=True, slots=True)
class RegistryException:
    """A package that passes although unlocked or too young, until the end of a day (UTC)."""

    purl: str
    expires: str  # "2027-01-31"
    reason: str
    digest: str | None = None  # "sha256:<hex>"


@dataclass(frozen=True, slots=True)
class UnpinnedArtifact:
    """An entry of a lock file that nothing can be held to: refused, and said why."""

    name: str
    version: str
    reason: str  # completes "it is not pinned: …"
    source: str  # "package-lock.json:12"


@dataclass(frozen=True, slots=True)
class RegistryPolicy:
    """One package manager's registry section, and what the lock files say of its artifacts.

    `allowed_hosts` are sites (policy/sites.py): HOST, or HOST/PATH for what lies below that.
    """

    manager: str
    enabled: bool
    allowed_hosts: tuple[str, ...]
    cache_ref: str | None = None
    fallback: str = "deny"
    lockfile: LockfilePolicy = LockfilePolicy()
    cooldown_s: int | None = None
    read_only: bool = True
    exceptions: tuple[RegistryException, ...] = ()
    artifact_allowlist: tuple[ArtifactPin, ...] = ()  # sorted
    unpinned: tuple[UnpinnedArtifact, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Where the gateway mints the tokens of a secret, and how it asks."""

    host: str
    port: int
    path: str
    grant: str = "refresh_token"  # or "client_credentials"
    client_id: str = ""
    scope: str = ""
    client_auth: str = "header"  # where a client secret is told: Authorization: Basic, or "body"


@dataclass(frozen=True, slots=True)
class PushRules:
    """Which branches may be pushed. Names, or "agent/*" for all below; "*" is every one."""

    branches: tuple[str, ...]
    force: bool = False  # branches that are there may be moved to anything
    delete: bool = False


@dataclass(frozen=True, slots=True)
class GitScope:
    """A secret that is git's own credential: for which repositories, named as branches are."""

    repositories: tuple[str, ...]
    push: PushRules | None = None  # None: for reading only
    username: str = "x-access-token"  # beside the value, in Basic credentials


@dataclass(frozen=True, slots=True)
class SecretBinding:
    """A secret by reference; the value never appears in any policy.

    `kind`: "static", the value is what is sent; "basic", it is `user:password`; "oauth2", it is
    what tokens are minted with, and those are sent.
    """

    secret_id: str
    env: str
    allowed_hosts: tuple[str, ...]
    target: tuple[str, ...] = ("header",)
    ttl_s: int = 900
    single_use: bool = False
    ports: tuple[int, ...] = (443,)
    header: str | None = None  # None: Authorization and the well-known token headers
    paths: tuple[str, ...] = ()  # prefixes; empty: any
    methods: tuple[str, ...] = ()  # empty: any
    on_violation: str = "block"
    required: bool = True
    kind: str = "static"
    oauth2: OAuth2 | None = None
    git: GitScope | None = None
    place: Place = field(default=Place(), compare=False)

    @property
    def told_hosts(self) -> tuple[str, ...]:
        """Every host that is told the value or what is minted with it."""
        minting = () if self.oauth2 is None else (self.oauth2.host,)
        return tuple(dict.fromkeys((*self.allowed_hosts, *minting)))


@dataclass(frozen=True, slots=True)
class Labels:
    """`project` and `metadata`: carried into audit, run records and listings; enforce nothing."""

    project: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BackendPolicy:
    """`backends`: the place a run defaults to, and whether a caller may name another."""

    default: str = "local"
    allow_overrides: bool = True


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """What is enforced. `policy_hash` covers meaning only: no order, no places, no labels."""

    policy_hash: str  # "sha256:<hex>"
    source_path: str  # "cleanroom.yaml", ".buildkite/cleanroom.yaml", or "" when there is none
    network: NetworkPolicy = NetworkPolicy()
    registries: tuple[RegistryPolicy, ...] = ()
    secrets: tuple[SecretBinding, ...] = ()
    sandbox: SandboxPolicy = SandboxPolicy()
    backends: BackendPolicy = BackendPolicy()
    labels: Labels = Labels()
    required_capabilities: tuple[Capability, ...] = ()
