"""What a first policy is made of, as far as files tell: managers, lock files, registries, remotes.

In: the workspace, the user's configuration. Out: fields of PolicyInitRequest (api/policy_types.py).
Never: a process, a credential, or more of a lock file than one line for each host in it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cleanroom.client.facts import registries, without_credentials
from cleanroom.client.files import read_limited, read_small
from cleanroom.client.lockfiles import find
from cleanroom.errors import UserError

LOCK_LIMIT: Final = 32 * 1024 * 1024
LINE_LIMIT: Final = 400

# A file of the workspace, and the package manager it speaks of; the first word wins.
MANAGERS: Final = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun",
    "package.json": "npm",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "Pipfile.lock": "pipenv",
    "requirements.txt": "pip",
    "pylock.toml": "pip",
    "pyproject.toml": "pip",
    "setup.py": "pip",
    "Cargo.lock": "cargo",
    "Cargo.toml": "cargo",
    "go.sum": "go",
    "go.mod": "go",
}
MANIFESTS: Final = ("package.json", "pyproject.toml", "setup.py", "Cargo.toml", "go.mod")
_SCHEME: Final = re.compile(r"[a-z+]*$")
_SCP: Final = re.compile(r"(?:[^/@:\s]+@)?([A-Za-z0-9.-]+):(?!//)")


# Where a repository of several projects has them: `apps/web/package-lock.json`.
_DEPTHS: Final = ("", "*/", "*/*/")


def managers(root: Path) -> list[str]:
    """Return the package managers whose files are there, of lock files below the root too."""
    there = {path.rpartition("/")[2] for path in lock_paths(root)}
    there |= {name for name in MANIFESTS if (root / name).is_file()}
    found = [manager for name, manager in MANAGERS.items() if name in there]
    if any(name not in MANAGERS for name in there):  # requirements-dev.txt
        found.append("pip")
    return list(dict.fromkeys(found))


def lock_paths(root: Path) -> list[str]:
    """Return the lock files at the root and in the projects below it."""
    names = [name for name in MANAGERS if name not in MANIFESTS]
    names = [*names, "requirements*.txt"]
    try:
        found = find(str(root), [f"{below}{name}" for below in _DEPTHS for name in names])
    except UserError:  # more files than are looked through
        found = find(str(root), names)
    return [path for path in found if (root / path).is_file()]


def lockfiles(root: Path) -> dict[str, str]:
    """Return each lock file's lines that name a host, one line for each host.

    Of a file with hashes in the manner of pip, one of them too: it tells a lock file from a wish.
    """
    texts = {path: _text(root / path) for path in lock_paths(root)}
    return {path: text for path, text in texts.items() if text is not None}


def _text(path: Path) -> str | None:
    try:
        text = read_limited(str(path), LOCK_LIMIT)
    except (OSError, ValueError):
        return None
    hashed = re.search(r"--hash[= ]\S{1,200}", text)
    return "\n".join(filter(None, (host_lines(text), hashed and f"# {hashed[0]}")))


def host_lines(text: str) -> str:
    """Return the lines with a URL, the first one for each beginning and host, cut short."""
    seen: dict[tuple[str, str, str], str] = {}
    # a lock file written without line ends still has one such key a package
    for line in text.replace('"resolved"', '\n"resolved"').splitlines():
        before, scheme, after = line.partition("://")
        if scheme:
            host = re.split(r"[/\s\"']", after, maxsplit=1)[0]
            word = before.split()[0] if before.split() else ""
            # `registry+https` and `git+https` at one host are two things.
            found = _SCHEME.search(before)
            kind = found[0][:20] if found else ""
            seen.setdefault((word[:40], kind, host), line[:LINE_LIMIT])
    return "\n".join(seen.values())


def configured_sites(root: Path, environ: Mapping[str, str], home: str) -> dict[str, list[str]]:
    """Return manager -> sites of the registries that the user or the project configured."""
    found = registries(environ, home)
    project = re.search(r"(?m)^\s*registry\s*=\s*(\S+)", read_small(str(root / ".npmrc")))
    if project and (url := without_credentials(project[1].strip("\"'"))):
        found["npm"] = url
    for name, key in ((".yarnrc.yml", "npmRegistryServer:"), (".yarnrc", "registry ")):
        yarn = re.search(rf"(?m)^{key}\s*(\S+)", read_small(str(root / name)))
        if yarn and (url := without_credentials(yarn[1].strip("\"'"))):
            found.setdefault("yarn", url)
    return {manager: [site] for manager, url in found.items() if (site := site_of(url))}


def scoped_sites(root: Path, environ: Mapping[str, str], home: str) -> list[str]:
    """Return the sites of the registries that npm has for single scopes, beside the one for all."""
    named = environ.get("NPM_CONFIG_USERCONFIG") or f"{home}/.npmrc"
    text = "\n".join(read_small(path) for path in (str(root / ".npmrc"), named))
    urls = re.findall(r"(?m)^\s*@[^\s:=]+:registry\s*=\s*(\S+)", text)
    sites = (site_of(without_credentials(url.strip("\"'"))) for url in urls)
    return [site for site in dict.fromkeys(sites) if site]


def site_of(url: str) -> str:
    """Return host_of(url) with the path that a registry's addresses begin with.

    An index's pages are below `simple`, and its files beside that.
    """
    host = host_of(url)
    path = re.sub(r"(?:^|/)\+?simple$", "", urlsplit(url).path.strip("/")) if host else ""
    return f"{host}/{path}" if path else host


def is_below(site: str, own: str) -> bool:
    """Tell whether a site lies at another one, or below it."""
    return f"{site}/".startswith(f"{own}/")


def host_of(url: str) -> str:
    """Return `host`, or `host:port` where the port is not https's own; "" for no host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if port is None:
        port = {"http": 80, "ssh": 22, "git": 9418}.get(parts.scheme, 443)
    return host if not host or port == 443 else f"{host}:{port}"


def git_remotes(root: Path) -> list[str]:
    """Return the hosts of the repository's remotes."""
    return sorted(set(_remotes(read_small(str(root / ".git" / "config")))))


def _remotes(config: str) -> Iterator[str]:
    for url in re.findall(r"(?m)^\s*url\s*=\s*(\S+)", config):
        scp = _SCP.match(url)
        host = host_of(url) if "://" in url else f"{scp[1]}:22" if scp else ""
        if host:
            yield host
