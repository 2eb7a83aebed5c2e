"""Recipes of coding agents: what each needs of the network, of secrets and of its home, as data.

In: a recipe's word, a policy as written. Out: that policy with the recipe's hosts and its one
binding. Never: a recipe that applies without a person's flag; a host but the vendor's own API; a
value. What a recipe adds is in the compiled policy, hashed and audited like what was written.

Another agent is one more entry of RECIPES, and `make docs` writes its section of docs/agents.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.errors import Code, UserError
from cleanroom.policy.model import NetworkPolicy, Place, Rule, RuleKind, SecretBinding
from cleanroom.policy.written import Policy

HTTPS_PORT: Final = 443
TTL_S: Final = 86_400  # its sandbox's time to live ends it before


@dataclass(frozen=True, slots=True)
class Credential:
    """One way in which an agent is logged in.

    `variable` holds the placeholder inside, and the value outside unless `login` is there: a JSON
    file below the home of the person, and where in it the value is. `fields` are those of requests
    that its clients may send it in.
    """

    secret_id: str
    variable: str
    fields: tuple[str, ...]
    hosts: tuple[str, ...]
    outside: tuple[str, ...] = ()  # further variables of the person's that may hold it
    login: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """One agent. `home` is the folder that it keeps its own files in, a volume of the workspace."""

    name: str
    title: str
    command: str  # how it is run without anybody to ask
    credentials: tuple[Credential, ...]  # the first that the person has
    home: str
    version: str  # of its program, as it was seen to do a whole task
    environment: tuple[tuple[str, str], ...] = ()
    hosts: tuple[str, ...] = ()  # beside those of its credentials
    refused: tuple[str, ...] = ()  # hosts that it asks for as well, and does without
    notes: tuple[str, ...] = ()


_HOME: Final = "/home/cleanroom"
_BEARER: Final = ("Authorization",)
_KEY: Final = ("x-api-key", "Authorization")  # the latter by newer client libraries
_ANTHROPIC: Final = ("api.anthropic.com",)
_OPENAI: Final = ("api.openai.com",)
_RECIPES: Final = (
    Recipe(
        "claude",
        "Claude Code",
        'claude -p "fix the failing test" --dangerously-skip-permissions',
        (
            Credential("claude", "ANTHROPIC_API_KEY", _KEY, _ANTHROPIC),
            Credential(
                "claude-login",
                "CLAUDE_CODE_OAUTH_TOKEN",
                _BEARER,
                _ANTHROPIC,
                login=(".claude/.credentials.json", "/claudeAiOauth/accessToken"),
            ),
        ),
        f"{_HOME}/.claude",
        "2.1.332",
        (
            ("CLAUDE_CONFIG_DIR", f"{_HOME}/.claude"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
        ),
        notes=(
            "The login file's token lives for some hours; it is renewed by your own `claude`"
            " outside. `claude setup-token` makes one that lasts, for CLAUDE_CODE_OAUTH_TOKEN.",
        ),
    ),
    Recipe(
        "codex",
        "Codex",
        "codex exec --disable apps --disable plugins --disable api_key_model_discovery"
        " -c analytics.enabled=false -c check_for_update_on_startup=false"
        ' --dangerously-bypass-approvals-and-sandbox "fix the failing test"',
        (
            Credential(
                "codex",
                "CODEX_API_KEY",
                _BEARER,
                _OPENAI,
                outside=("OPENAI_API_KEY",),
                login=(".codex/auth.json", "/OPENAI_API_KEY"),
            ),
        ),
        f"{_HOME}/.codex",
        "0.171.0",
        (("CODEX_HOME", f"{_HOME}/.codex"),),
        notes=(
            "Its own sandbox is not needed inside this one: the last flag switches it off. Without"
            " the others it asks chatgpt.com, ab.chatgpt.com, github.com and api.github.com for"
            " plugins, models, news and statistics: refused, and a task takes ten seconds longer."
            " They may stand in `config.toml` of the volume instead.",
            "A login with a ChatGPT account goes to other hosts and is not in this recipe.",
        ),
    ),
    Recipe(
        "gemini",
        "Gemini CLI",
        'gemini --yolo -p "fix the failing test"',
        (
            Credential(
                "gemini",
                "GEMINI_API_KEY",
                ("x-goog-api-key",),
                ("generativelanguage.googleapis.com",),
                outside=("GOOGLE_API_KEY",),
            ),
        ),
        f"{_HOME}/.gemini",
        "0.61.0",
        (("GEMINI_CLI_TRUST_WORKSPACE", "true"),),
        refused=("play.googleapis.com",),
        notes=("A login with a Google account goes to other hosts and is not in this recipe.",),
    ),
    Recipe(
        "opencode",
        "opencode",
        'opencode run "fix the failing test"',
        (
            Credential(
                "opencode",
                "ANTHROPIC_API_KEY",
                _KEY,
                _ANTHROPIC,
                login=(".local/share/opencode/auth.json", "/anthropic/key"),
            ),
            Credential(
                "opencode-openai",
                "OPENAI_API_KEY",
                _BEARER,
                _OPENAI,
                login=(".local/share/opencode/auth.json", "/openai/key"),
            ),
        ),
        f"{_HOME}/.local/share/opencode",
        "1.18.33",
        (("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")),
        refused=("npm's registry",),
        notes=("It knows the models of its release; plugins are not fetched.",),
    ),
    Recipe(
        "aider",
        "aider",
        'aider --yes-always --message "fix the failing test"',
        (
            Credential("aider", "OPENAI_API_KEY", _BEARER, _OPENAI),
            Credential("aider-anthropic", "ANTHROPIC_API_KEY", _KEY, _ANTHROPIC),
        ),
        f"{_HOME}/.aider",
        "0.86.2",
        (
            ("AIDER_ANALYTICS", "false"),
            ("AIDER_CHAT_HISTORY_FILE", f"{_HOME}/.aider/chat.history.md"),
            ("AIDER_CHECK_UPDATE", "false"),
            ("AIDER_GITIGNORE", "false"),
            ("AIDER_INPUT_HISTORY_FILE", f"{_HOME}/.aider/input.history"),
            ("AIDER_SHOW_RELEASE_NOTES", "false"),
        ),
        refused=("raw.githubusercontent.com",),
        notes=(
            "It commits: `cleanroom diff` and `apply` bring the files, and what is said at the end"
            " brings the commits. Its cache `.aider.tags.cache.v4` comes along unless git ignores"
            " `.aider*`.",
            "Its program needs a Python before 3.13, so it is run by hand, not by the tests of the"
            " night.",
        ),
    ),
)
RECIPES: Final[Mapping[str, Recipe]] = {recipe.name: recipe for recipe in _RECIPES}


def recipe_named(name: str) -> Recipe:
    """Return the recipe of this name. Raises UserError."""
    if name not in RECIPES:
        message = f"cannot find a recipe for the agent {name[:64]!r}"
        raise UserError(Code.REQUEST_INVALID, message, f"there are: {', '.join(RECIPES)}")
    return RECIPES[name]


def word_of(recipe: Recipe, credential: Credential) -> str:
    """Return how a request says a recipe and its credential."""
    return f"{recipe.name}/{credential.secret_id}"


def with_agent(policy: Policy, word: str) -> Policy:
    """Return the policy with what a recipe adds. Raises UserError for a word that names none.

    SECURITY: what a deny rule names stays denied; both at once is a conflict.
    """
    name, _, secret_id = word.partition("/")
    recipe = recipe_named(name)
    credential = next((each for each in recipe.credentials if each.secret_id == secret_id), None)
    if credential is None:
        message = f"cannot log in the agent {name!r} by {secret_id[:64]!r}"
        known = ", ".join(each.secret_id for each in recipe.credentials)
        raise UserError(Code.REQUEST_INVALID, message, f"there are: {known}")
    place = Place(preset=f"agent {name}")
    rules = tuple(
        Rule(RuleKind.EXACT, host, (HTTPS_PORT,), place=place)
        for host in (*credential.hosts, *recipe.hosts)
    )
    binding = SecretBinding(
        credential.secret_id,
        credential.variable,
        credential.hosts,
        ttl_s=TTL_S,
        header=credential.fields[0] if len(credential.fields) == 1 else None,
        place=place,
    )
    # The person's flag is nearer than the file: one variable has one placeholder.
    others = tuple(
        each
        for each in policy.secrets
        if each.env != binding.env and each.secret_id != binding.secret_id
    )
    network = policy.sandbox.network
    network = NetworkPolicy((*network.allow_rules, *rules), network.deny_rules)
    sandbox = replace(policy.sandbox, network=network)
    return replace(policy, sandbox=sandbox, secrets=(*others, binding))
