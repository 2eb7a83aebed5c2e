"""Names and versions in their one canonical form, and the names inside addresses.

In: text of lock files. Out: text that equal packages share. Never: a guess; what has no canonical
form stays as it is written.
"""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

_RUNS: Final = re.compile(r"[-_.]+")
# What nearly every address, name and version is, told at a glance: nothing to decode or change.
_PLAIN_URL: Final = re.compile(r"https?://([A-Za-z0-9.-]+)(?::[0-9]+)?(/[A-Za-z0-9._~@+/-]*)")
_PLAIN_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*+")
_PLAIN_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]{0,98})(?:\.(?:0|[1-9][0-9]{0,98})){0,99}")
_PLAIN: Final = re.compile(f"{_PLAIN_NAME.pattern} {_PLAIN_VERSION.pattern}")
# PEP 440, appendix B, without the local part; digits are bounded so that no version costs much.
_VERSION: Final = re.compile(
    r"v?(?:(?P<epoch>[0-9]{1,99})!)?(?P<release>[0-9]{1,99}(?:\.[0-9]{1,99}){0,99})"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>[0-9]{0,99}))?"
    r"(?P<post>-(?P<post_n1>[0-9]{1,99})|[-_.]?(?:post|rev|r)[-_.]?(?P<post_n2>[0-9]{0,99}))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>[0-9]{0,99}))?"
    r"(?:\+(?P<local>[a-z0-9]{1,99}(?:[-_.][a-z0-9]{1,99}){0,99}))?"
)
_FILE: Final = re.compile(
    r"(?P<wheel>[A-Za-z0-9._]{1,200})-(?P<wheel_version>[A-Za-z0-9._!+]{1,200})(?:-[0-9][A-Za-z0-9_.]*)?"
    r"-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl"
    r"|(?P<sdist>[A-Za-z0-9._-]{1,200})-(?P<sdist_version>[0-9][A-Za-z0-9._!+]{0,200})"
    r"\.(?:tar\.gz|zip|tar\.bz2|tgz)"
)
_PRE: Final = {
    "alpha": "a",
    "a": "a",
    "beta": "b",
    "b": "b",
    "c": "rc",
    "rc": "rc",
    "pre": "rc",
    "preview": "rc",
}


def is_pypi_plain(name: str, version: str) -> bool:
    """Tell whether both are canonical at a glance; if not, they still may be."""
    return not version.endswith(".0") and _PLAIN.fullmatch(f"{name} {version}") is not None


def pypi_name(text: str) -> str:
    """Return the name as PEP 503 normalises it."""
    if _PLAIN_NAME.fullmatch(text):
        return text
    return _RUNS.sub("-", text).lower()


def pypi_version(text: str) -> str:
    """Return the version in PEP 440's normal form without trailing zeros; else as it is."""
    if _PLAIN_VERSION.fullmatch(text) and not text.endswith(".0"):
        return text
    match = _VERSION.fullmatch(text.strip().lower())
    if match is None:
        return text
    found = match.groupdict()
    release = [int(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    parts = [f"{int(found['epoch'])}!" if int(found["epoch"] or 0) else ""]
    parts.append(".".join(map(str, release)))
    if found["pre"]:
        parts.append(f"{_PRE[found['pre']]}{int(found['pre_n'] or 0)}")
    if found["post"]:
        parts.append(f".post{int(found['post_n1'] or found['post_n2'] or 0)}")
    if found["dev"]:
        parts.append(f".dev{int(found['dev_n'] or 0)}")
    if found["local"]:
        local = re.split(r"[-_.]", found["local"])
        parts.append("+" + ".".join(str(int(p)) if p.isdigit() else p for p in local))
    return "".join(parts)


def pypi_file(file: str) -> tuple[str, str]:
    """Return name and version that a wheel's or sdist's file name says, canonical; else "", ""."""
    match = _FILE.fullmatch(file)
    if match is None:
        return "", ""
    name, version = match["wheel"], match["wheel_version"]
    if match["sdist"]:
        name, version = match["sdist"], match["sdist_version"]
    return pypi_name(name), pypi_version(version)


def is_web(url: str) -> bool:
    """Tell whether this is an address that a package client would fetch by itself."""
    return url.startswith(("https://", "http://"))


def host_of(url: str) -> str:
    """Return the host of an address in lower case; "" if it has none."""
    return _parts(url)[0].rstrip(".")


def file_of(url: str) -> str:
    """Return the last part of an address's path, decoded; "" if there is none."""
    if _PLAIN_URL.fullmatch(url):
        return url.rpartition("/")[2]
    return unquote(_parts(url)[1].rsplit("/", 1)[-1])


def registry_package(url: str) -> str:
    """Return which package's tarball an npm registry serves here; "" if it is no such address.

    `https://HOST/…/NAME/-/FILE.tgz`, where NAME may be `@scope/name` or `@scope%2fname`.
    """
    before, found, file = unquote(_parts(url)[1]).rpartition("/-/")
    if not found or not file.endswith(".tgz") or not is_web(url):
        return ""
    *rest, last = before.split("/")
    scoped = bool(rest) and rest[-1].startswith("@")
    return f"{rest[-1]}/{last}" if scoped else last


def _parts(url: str) -> tuple[str, str]:
    """Return the host in lower case and the path as it is written; each "" if there is none."""
    plain = _PLAIN_URL.fullmatch(url)
    if plain is not None:
        return plain[1].lower(), plain[2]
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.hostname or "", parts.path
