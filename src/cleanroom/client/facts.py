"""What only the client can know: its user's registries, git identity, PATH, terminal and zone.

In: the environment and the user's own and global configuration files. Out: the `facts` of a
request. Never: a credential, a process, or a file of the workspace.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH110, PTH117, PTH120
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cleanroom.client.files import first_value, read_small

WORD_LIMIT: Final = 256  # of api/message.py, as the next
PATH_LIMIT: Final = 131_072
_URL: Final = r"(https?)://(?:[^/@\s]*@)?([^/?#@\s]+)(/[^?#\s]*)?"


def client_facts(environ: Mapping[str, str], home: str) -> dict[str, object]:
    """Return the fields of ClientFacts (api/types.py)."""
    name, email = git_identity(environ, home)
    return {
        "path": _sendable(environ.get("PATH", ""), PATH_LIMIT),
        "term": _sendable(environ.get("TERM", "")),
        "colorterm": _sendable(environ.get("COLORTERM", "")),
        "lang": _sendable(environ.get("LC_ALL") or environ.get("LANG", "")),
        "tz": _sendable(environ.get("TZ", "")),
        "no_color": bool(environ.get("NO_COLOR")),
        "git_name": _sendable(name),
        "git_email": _sendable(email),
        "registries": registries(environ, home),
    }


def _sendable(text: str, limit: int = WORD_LIMIT) -> str:
    """Return `text` if the API takes it, else "": an odd TERM must not stop a run."""
    whole = not any("\ud800" <= char <= "\udfff" for char in text)
    return text if whole and len(text) <= limit else ""


def registries(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return the registry URL that each client would use; one that nobody configured is absent."""
    found = {
        "npm": first_value(_npm(environ, home)),
        "pip": first_value(_pip(environ, home)),
        "uv": first_value(_uv(environ, home)),
        "yarn": first_value(_yarn(environ, home)),
        "go": first_value(_go(environ, home)),
    }
    cleaned = {manager: without_credentials(url) for manager, url in found.items()}
    return {manager: url for manager, url in cleaned.items() if url}


def without_credentials(url: str) -> str:
    """Return scheme, host, port and path of an http URL; "" for anything else."""
    found = re.fullmatch(_URL, url.strip()) if url else None
    return f"{found[1]}://{found[2]}{found[3] or '/'}" if found else ""


def _npm(environ: Mapping[str, str], home: str) -> Iterator[str]:
    """Environment (any case), user file, global file, and the one beside npm itself."""
    for name, value in environ.items():
        if name.lower() == "npm_config_registry":
            yield value
    yield _ini(environ.get("NPM_CONFIG_USERCONFIG") or f"{home}/.npmrc", "registry")
    for prefix in _npm_prefixes(environ):
        yield _ini(f"{prefix}/etc/npmrc", "registry")
        yield _ini(f"{prefix}/lib/node_modules/npm/npmrc", "registry")


def _npm_prefixes(environ: Mapping[str, str]) -> Iterator[str]:
    named = environ.get("PREFIX") or environ.get("npm_config_prefix")
    if named:
        yield named
    for folder in environ.get("PATH", "").split(":"):
        if os.path.isabs(folder) and os.path.exists(f"{folder}/node"):
            yield os.path.dirname(os.path.dirname(os.path.realpath(f"{folder}/node")))
            return


def _pip(environ: Mapping[str, str], home: str) -> Iterator[str]:
    """Environment, PIP_CONFIG_FILE, user files, global files (pip's own order)."""
    yield environ.get("PIP_INDEX_URL", "")
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    folders = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    paths = [
        named,
        f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/pip/pip.conf",
        f"{home}/.pip/pip.conf",
        "/etc/pip.conf",
        *(f"{folder}/pip/pip.conf" for folder in folders.split(":")),
    ]
    for path in filter(None, paths):
        yield _ini(path, "index-url", "index_url")


def _uv(environ: Mapping[str, str], home: str) -> Iterator[str]:
    """Environment, then the user's and the system's uv.toml."""
    yield environ.get("UV_DEFAULT_INDEX", "")
    yield environ.get("UV_INDEX_URL", "")
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    for path in (f"{config}/uv/uv.toml", "/etc/uv/uv.toml"):
        yield _uv_file(read_small(path))


def _uv_file(text: str) -> str:
    """Return the default index of a uv.toml: an [[index]] with default = true, or index-url.

    Not a TOML parser: it reads the two shapes uv documents, one key a line.
    """
    if not text:
        return ""
    for following in re.split(r"(?m)^\s*\[\[index\]\]\s*$", text)[1:]:
        block = following.split("\n[", 1)[0]
        url = re.search(r'(?m)^\s*url\s*=\s*"([^"\n]*)"', block)
        if url and re.search(r"(?m)^\s*default\s*=\s*true\b", block):
            return url[1]
    found = re.search(r'(?m)^\s*index-url\s*=\s*"([^"\n]*)"', text)
    return found[1] if found else ""


def _yarn(environ: Mapping[str, str], home: str) -> Iterator[str]:
    """Both yarns: the modern one's variable and file, then the classic one's."""
    yield environ.get("YARN_NPM_REGISTRY_SERVER", "")
    yield _found(r"(?m)^npmRegistryServer:\s*[\"']?([^\"'\s#]+)", f"{home}/.yarnrc.yml")
    yield environ.get("YARN_REGISTRY", "")
    yield _found(r'(?m)^registry\s+"?([^"\s]+)', f"{home}/.yarnrc")


def _found(pattern: str, path: str) -> str:
    """Return the group of a pattern in a file. Most have no such file: nothing is compiled then."""
    text = read_small(path)
    found = re.search(pattern, text) if text else None
    return found[1] if found else ""


def _go(environ: Mapping[str, str], home: str) -> Iterator[str]:
    """The first proxy of GOPROXY: the environment's, else that of the file `go env -w` writes."""
    said = environ.get("GOPROXY")
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    path = environ.get("GOENV") or f"{config}/go/env"
    if said is None and path != "off":
        found = re.search(r"(?m)^GOPROXY=(.*)$", read_small(path))
        said = found[1] if found else None
    yield from proxies_in(said or "")


def proxies_in(said: str) -> list[str]:
    """Return the URLs in what GOPROXY says; `direct` and `off` are none."""
    return list(filter(None, map(without_credentials, re.split(r"[,|]", said))))


def git_identity(environ: Mapping[str, str], home: str) -> tuple[str, str]:
    """Return user.name and user.email as git would read them outside any repository."""
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    named = environ.get("GIT_CONFIG_GLOBAL")
    paths = (named,) if named else (f"{home}/.gitconfig", f"{config}/git/config")
    values: dict[str, str] = {}
    for path in (*paths, "/etc/gitconfig"):
        for key, value in _git_user(read_small(path)).items():
            values.setdefault(key, value)
    return (
        environ.get("GIT_AUTHOR_NAME") or values.get("name", ""),
        environ.get("GIT_AUTHOR_EMAIL") or values.get("email", ""),
    )


def _git_user(text: str) -> dict[str, str]:
    return {key.lower(): value for key, value in _assignments(text, lambda name: name == "user")}


def _ini(path: str, *keys: str) -> str:
    """Return the first of `keys` in an npmrc or pip.conf.

    In pip.conf only [global], [install] and [download] count; an npmrc has no sections.
    """
    sections = ("", "global", "install", "download")
    for key, value in _assignments(read_small(path), lambda name: name in sections):
        if key.lower() in keys:
            return value
    return ""


def _assignments(text: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield `key = value` of the wanted sections, without quotes and comments."""
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line[1:].split("]", 1)[0].strip().lower()
        elif "=" in line and line[0] not in "#;" and wanted(section):
            key, _, value = line.partition("=")
            yield key.strip(), _unquoted(value.strip())


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ('"', "'") and value.find(quote, 1) > 0:
        return value[1 : value.find(quote, 1)]
    return re.split(r"\s[#;]", value, maxsplit=1)[0].strip()
