"""The environment of a sandbox, built from nothing: what is not named here is not inside.

In: what the client said of its user, the operator's tool folders. Out: sorted pairs.
Never: a variable of the daemon's or the client's own environment, a URL with credentials.

Which variable each package manager reads for its certificates and its retries was measured with
the real clients: one bundle for all of them, since most of these variables replace the built-in
roots; and few, short retries, since a refused host answers at once and for ever.
"""

from typing import Final
from urllib.parse import urlsplit

from cleanroom.errors import Code, UserError
from cleanroom.sandbox.host import CA_BUNDLE, HOME, JAVA_TRUST, ClientEnvironment, ToolFolder

Environment = tuple[tuple[str, str], ...]

SYSTEM_PATH: Final = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)

CA_VARIABLES: Final = (
    "AWS_CA_BUNDLE",
    "BUNDLE_SSL_CA_CERT",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",  # node, npm, pnpm, yarn 4; npm ignores it once an npmrc sets cafile
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",  # uv, go, cargo, bundler, python
    "YARN_HTTPS_CA_FILE_PATH",
    "npm_config_cafile",  # npm and yarn 1; see `npm_trust` below
)

_RETRIES: Final = {
    "CARGO_NET_RETRY": "1",
    "PIP_RETRIES": "1",
    "UV_HTTP_RETRIES": "1",
    "YARN_HTTP_RETRY": "1",
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_maxtimeout": "1000",
    "npm_config_fetch_retry_mintimeout": "200",
}

# What would ask the network, or a person, for nothing the command needs.
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "npm_config_audit": "false",  # of `npm install`; `npm audit` asks all the same
    "npm_config_update_notifier": "false",
}

_JAVA: Final = {"JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={JAVA_TRUST}"}

# Which variables carry a manager's registry; every one a client of that manager reads.
_REGISTRY_VARIABLES: Final = {
    "npm": ("npm_config_registry",),
    "pip": ("PIP_INDEX_URL",),
    "go": ("GOPROXY",),
    "uv": ("UV_DEFAULT_INDEX",),
    "yarn": ("YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"),
}


def build_environment(
    client: ClientEnvironment,
    tools: tuple[ToolFolder, ...] = (),
    *,
    java_trust: bool = False,
    npm_trust: str = CA_BUNDLE,
) -> Environment:
    """Everything a command finds in its environment unless `-e` says otherwise.

    `java_trust`: there is a trust store for Java, wherever its own `cacerts` may be.
    `npm_trust`: npm makes every certificate of this file a part of each connection's name, again
    for each request: of 150 authorities that is a seventh of a whole `npm ci`.
    """
    built = {
        "CI": "1",
        "CLEANROOM": "1",
        "HOME": HOME,
        "LANG": _plain(client.lang) or "C.UTF-8",
        "LOGNAME": "cleanroom",
        "PATH": ":".join(search_path(client.path, tools)),
        "SHELL": "/bin/sh",
        "SSL_CERT_DIR": CA_BUNDLE.rpartition("/")[0],
        "TMPDIR": "/tmp",  # noqa: S108 -- the sandbox's own
        "USER": "cleanroom",
        "UV_SYSTEM_CERTS": "true",
        **dict.fromkeys(CA_VARIABLES, CA_BUNDLE),
        "npm_config_cafile": npm_trust,
        **_RETRIES,
        **_QUIET,
        **_terminal(client),
        **_identity(client),
        **_registries(client),
        **(_JAVA if java_trust else {}),
    }
    return tuple(sorted(built.items()))


def override(environment: Environment, extra: tuple[tuple[str, str], ...]) -> Environment:
    """`environment` with what `-e` and `--env-file` said. Raises UserError(request_invalid)."""
    for key, value in extra:
        if not key or "=" in key or "\0" in key + value:
            message = f"cannot set the variable '{key[:40]}'"
            raise UserError(Code.REQUEST_INVALID, message, "write -e NAME=value")
    return tuple(sorted({**dict(environment), **dict(extra)}.items()))


def search_path(client_path: str, tools: tuple[ToolFolder, ...]) -> tuple[str, ...]:
    """PATH inside: the caller's entries that lie in tool folders, their bins, the system's."""
    callers = [
        entry
        for entry in client_path.split(":")
        if any(entry == tool.path or entry.startswith(f"{tool.path}/") for tool in tools)
    ]
    unnamed = [
        bin_
        for tool in tools
        if not any(entry.startswith(tool.path) for entry in callers)
        for bin_ in tool.bins
    ]
    return tuple(dict.fromkeys((*callers, *unnamed, *SYSTEM_PATH)))


def _plain(text: str) -> str:
    """`text` if it can be a variable's value on one line, else nothing."""
    return text if text.isprintable() else ""


def _terminal(client: ClientEnvironment) -> dict[str, str]:
    said = {
        "TERM": _plain(client.term) or "dumb",
        "COLORTERM": _plain(client.colorterm),
        "TZ": _plain(client.tz),
        "NO_COLOR": "1" if client.no_color else "",
    }
    return {key: value for key, value in said.items() if value}


def _identity(client: ClientEnvironment) -> dict[str, str]:
    name, email = _plain(client.git_name), _plain(client.git_email)
    said = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    return {key: value for key, value in said.items() if value}


def _registries(client: ClientEnvironment) -> dict[str, str]:
    return {
        variable: url
        for manager, url in client.registries
        if _is_public(url)
        for variable in _REGISTRY_VARIABLES.get(manager, ())
    }


def _is_public(url: str) -> bool:
    """Whether a URL is one, and carries no credentials: the client promised, we look again."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("https", "http")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not parts.query
        and url.isprintable()
    )
