"""Which hosts a lock file's packages come from: for a first policy, not for enforcement.

In: a file's name and text. Out: a few (host, port) pairs. Never: a URL that only describes a
package (homepage, funding), a credential, or more than a bounded number of hosts.
"""

import re
from typing import Final

from cleanroom.policy.hosts import InvalidHostError, canonical_host, parse_port

MAX_TARGETS: Final = 32
MAX_URLS: Final = 100_000

Target = tuple[str, int]

_PORTS: Final = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
# scheme, user and password dropped, host, port; nothing after the host is kept
_URL: Final = (
    r"(?:git\+|registry\+|sparse\+)?(https?|ssh|git)://(?:[^\s/@\"']*@)?"
    r"([A-Za-z0-9.-]{1,253})(?::([0-9]{1,6}))?(?=[/?#:\s\"',}\])]|$)"
)
_TOML: Final = rf"\b(?:url|registry|git|index|source) = \"{_URL}"

# What stands before the URL of a package itself, by the name of the file.
_PATTERNS: Final = {
    "package-lock.json": rf"\"resolved\"\s*:\s*\"{_URL}",
    "npm-shrinkwrap.json": rf"\"resolved\"\s*:\s*\"{_URL}",
    "yarn.lock": rf"^\s+(?:resolved|resolution:) \"(?:[^\s\"]*@)?{_URL}",
    "pnpm-lock.yaml": rf"\b(?:tarball|registry|repo): ['\"]?{_URL}",
    "bun.lock": rf"\"(?:[^\s\"]*@)?{_URL}",
    "poetry.lock": _TOML,
    "pdm.lock": _TOML,
    "uv.lock": _TOML,
    "pylock.toml": _TOML,
    "Cargo.lock": _TOML,
    "Pipfile.lock": rf"\"(?:url|git|file)\"\s*:\s*\"{_URL}",
    "requirements.txt": (
        r"^(?:[^#\s]+ ?@ ?|(?:-i|--index-url|--extra-index-url|-f|--find-links)[ =]|-e )?" + _URL
    ),
}
LOCKFILES: Final = frozenset(_PATTERNS)


def hosts_in_lockfile(name: str, text: str) -> tuple[Target, ...]:
    """Return the (host, port) pairs of the URLs packages are resolved to, sorted.

    `name` is the file's base name; `requirements*.txt` count as requirements.txt, an unknown name
    has no hosts. Names that are no host names, and localhost, are left out.
    """
    found: set[Target] = set()
    pattern = _PATTERNS.get(kind_of(name))
    if pattern is None:
        return ()
    for count, match in enumerate(re.finditer(pattern, text, re.MULTILINE)):
        found.update(_targets(*match.groups()))
        if len(found) >= MAX_TARGETS or count >= MAX_URLS:
            break
    return tuple(sorted(found))


def cargo_hosts(text: str) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Return the targets of a Cargo.lock's sparse registries, and those of all else but indexes.

    An index in git is where nobody goes: cargo asks the public one in its sparse form, whatever
    lock files call it, and the cargo registry of a policy is a sparse one.
    """
    lines = [line for line in text.splitlines() if "registry+" not in line]
    sparse = "\n".join(line for line in lines if "sparse+" in line)
    others = "\n".join(line for line in lines if "sparse+" not in line)
    return hosts_in_lockfile("Cargo.lock", sparse), hosts_in_lockfile("Cargo.lock", others)


def target_of(text: str) -> Target | None:
    """Return the (host, port) of `host`, `host:port` or a URL; None if it names no host."""
    match = re.fullmatch(rf"{_URL}(?:[/?#]\S*)?", text if "://" in text else f"https://{text}")
    return next(iter(_targets(*match.groups())), None) if match else None


def kind_of(name: str) -> str:
    """Return the name under which a file's format is known: itself, or requirements.txt."""
    requirements = name.startswith("requirements") and name.endswith(".txt")
    return "requirements.txt" if requirements else name


def _targets(scheme: str, host: str, port: str | None) -> set[Target]:
    try:
        name = canonical_host(host)
        number = parse_port(port) if port else _PORTS[scheme]
    except InvalidHostError:
        return set()
    return set() if name == "localhost" else {(name, number)}
