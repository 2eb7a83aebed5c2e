"""Recipes of coding agents as data: hosts, secrets, homes, variables, and what their programs ask.

In: nothing. Out: RECIPES. Never: a host but the vendor's own API; a value.

Another agent is one more entry here, and `make docs` writes its section of docs/agents.md.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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
    environment: tuple[tuple[str, str], ...] = ()  # with this login only
    told: tuple[tuple[str, str], ...] = ()  # variable, and where the login file has its text: no
    # secret, and shown inside
    files: tuple["InsideFile", ...] = ()


class Way(StrEnum):
    """What becomes of a file that an earlier sandbox left in the volume."""

    ANEW = "written anew"
    ADDED = "what is missing is added"  # to a JSON object
    ONCE = "written where there is none"


@dataclass(frozen=True, slots=True)
class InsideFile:
    """A file that the agent finds in its home: a login, or settings that it would ask for.

    `${NAME}` in its text is a variable of the sandbox (a placeholder, or one of `told`), and
    `${NAME_END}` its last 20 characters.
    """

    path: str
    text: str
    way: Way


@dataclass(frozen=True, slots=True)
class Recipe:
    """One agent. `home` is the folder that it keeps its own files in, a volume of the workspace."""

    name: str
    title: str
    command: str  # how it is run without anybody to ask
    credentials: tuple[Credential, ...]  # the first that the person has
    home: str
    package: str  # that its program comes in: MANAGER NAME
    version: str  # of it, as it was seen to do a whole task
    environment: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()  # hosts that it asks for as well, and does without
    notes: tuple[str, ...] = ()


def _jwt(claims: Mapping[str, object]) -> str:
    """Return a token that nobody signed, for programs that read one before they ask anybody."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    words = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return ".".join((*words, "none"))


def _added(path: str, settings: Mapping[str, object]) -> InsideFile:
    return InsideFile(f"{_HOME}/{path}", json.dumps(settings), Way.ADDED)


def _gemini(login: str) -> Mapping[str, object]:
    return {
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "privacy": {"usageStatisticsEnabled": False},
        "security": {"auth": {"selectedType": login}},
    }


_HOME: Final = "/home/cleanroom"
_FAR: Final = 4_102_444_800  # 2100: what has no end is not renewed
_BEARER: Final = ("Authorization",)
_KEY: Final = ("x-api-key", "Authorization")  # the latter by newer client libraries
_ANTHROPIC: Final = ("api.anthropic.com",)
_OPENAI: Final = ("api.openai.com",)
# Which of them it asks depends on the account's plan: api.github.com says so.
_COPILOT: Final = (
    "api.business.githubcopilot.com",
    "api.enterprise.githubcopilot.com",
    "api.github.com",
    "api.githubcopilot.com",
    "api.individual.githubcopilot.com",
)
_CLAUDE_SETTINGS: Final = {
    # Its first questions lead to hosts that stay closed.
    "hasCompletedOnboarding": True,
    "projects": {"/workspace": {"hasTrustDialogAccepted": True}},
}
# It asks before it uses a key, and remembers the end of it.
_CLAUDE_KEY: Final = {"customApiKeyResponses": {"approved": ["${ANTHROPIC_API_KEY_END}"]}}
_CODEX_AUTH: Final = f"{_HOME}/.codex/auth.json"
_CODEX_KEY: Final = '{"auth_mode": "apikey", "OPENAI_API_KEY": "${CODEX_API_KEY}"}'
_CODEX_SETTINGS: Final = InsideFile(
    f"{_HOME}/.codex/config.toml",
    """\
check_for_update_on_startup = false
sandbox_mode = "danger-full-access"

[analytics]
enabled = false

[features]
api_key_model_discovery = false
apps = false
plugins = false

[projects."/workspace"]
trust_level = "trusted"
""",
    Way.ONCE,
)
_CODEX_LOGIN: Final = json.dumps(
    {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": _jwt({"exp": _FAR}),
            "access_token": "${CODEX_LOGIN_TOKEN}",
            "refresh_token": "none",
            "account_id": "${CODEX_LOGIN_ACCOUNT}",
        },
        "last_refresh": "2099-01-01T00:00:00Z",
    }
)
_RECIPES: Final = (
    Recipe(
        "claude",
        "Claude Code",
        'claude -p "fix the failing test" --dangerously-skip-permissions',
        (
            Credential(
                "claude",
                "ANTHROPIC_API_KEY",
                _KEY,
                _ANTHROPIC,
                files=(_added(".claude/.claude.json", _CLAUDE_SETTINGS | _CLAUDE_KEY),),
            ),
            Credential(
                "claude-login",
                "CLAUDE_CODE_OAUTH_TOKEN",
                _BEARER,
                _ANTHROPIC,
                login=(".claude/.credentials.json", "/claudeAiOauth/accessToken"),
                files=(_added(".claude/.claude.json", _CLAUDE_SETTINGS),),
            ),
        ),
        f"{_HOME}/.claude",
        "npm @anthropic-ai/claude-code",
        "2.1.332",
        (
            ("CLAUDE_CONFIG_DIR", f"{_HOME}/.claude"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL", "1"),
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
        'codex exec --dangerously-bypass-approvals-and-sandbox "fix the failing test"',
        (
            Credential(
                "codex",
                "CODEX_API_KEY",
                _BEARER,
                _OPENAI,
                outside=("OPENAI_API_KEY",),
                login=(".codex/auth.json", "/OPENAI_API_KEY"),
                files=(InsideFile(_CODEX_AUTH, _CODEX_KEY, Way.ANEW), _CODEX_SETTINGS),
            ),
            Credential(
                "codex-login",
                "CODEX_LOGIN_TOKEN",
                _BEARER,
                ("chatgpt.com",),
                login=(".codex/auth.json", "/tokens/access_token"),
                told=(("CODEX_LOGIN_ACCOUNT", "/tokens/account_id"),),
                files=(InsideFile(_CODEX_AUTH, _CODEX_LOGIN, Way.ANEW), _CODEX_SETTINGS),
            ),
        ),
        f"{_HOME}/.codex",
        "npm @openai/codex",
        "0.171.0",
        (("CODEX_HOME", f"{_HOME}/.codex"),),
        notes=(
            "Its own sandbox is not needed inside this one and cannot start there: `config.toml`"
            " switches it off. With other settings than those it also asks chatgpt.com,"
            " ab.chatgpt.com, github.com and api.github.com for plugins, models and statistics:"
            " refused, and a task takes ten seconds longer.",
            "A login with a ChatGPT account lives for some days; it is renewed by your own `codex`"
            " outside, never from inside: the vendor replaces refresh tokens, and a second user of"
            " one would log you out.",
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
                files=(_added(".gemini/settings.json", _gemini("gemini-api-key")),),
            ),
            Credential(
                "gemini-login",
                "GOOGLE_CLOUD_ACCESS_TOKEN",
                _BEARER,
                ("cloudcode-pa.googleapis.com",),
                login=(".gemini/oauth_creds.json", "/access_token"),
                environment=(("GOOGLE_GENAI_USE_GCA", "true"),),
                files=(_added(".gemini/settings.json", _gemini("oauth-personal")),),
            ),
        ),
        f"{_HOME}/.gemini",
        "npm @google/gemini-cli",
        "0.61.0",
        (("GEMINI_CLI_TRUST_WORKSPACE", "true"),),
        refused=("www.googleapis.com",),
        notes=(
            "A login with a Google account lives for an hour; it is renewed by your own `gemini`"
            " outside. An account of a company also wants `-e GOOGLE_CLOUD_PROJECT=…`.",
        ),
    ),
    Recipe(
        "copilot",
        "Copilot CLI",
        'copilot -p "fix the failing test" --allow-all-tools',
        (Credential("copilot", "COPILOT_GITHUB_TOKEN", _BEARER, _COPILOT),),
        f"{_HOME}/.copilot",
        "npm @github/copilot",
        "1.0.102",
        (
            ("COPILOT_ALLOW_ALL", "true"),
            ("COPILOT_AUTO_UPDATE", "false"),
            ("COPILOT_HOME", f"{_HOME}/.copilot"),
        ),
        refused=("telemetry.individual.githubcopilot.com",),
        notes=(
            "Inside, the token is good for all of api.github.com that it is good for outside: make"
            " a fine-grained one with the permission for Copilot requests alone. GH_TOKEN and"
            " GITHUB_TOKEN, which may do more, are not read for it, nor what `copilot login` keeps"
            " in the keyring.",
            "Accounts of a company's own domain (`ghe.com`) have other hosts: bind"
            " COPILOT_GITHUB_TOKEN to them in the policy.",
        ),
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
        "npm opencode-ai",
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
        "pip aider-chat",
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
