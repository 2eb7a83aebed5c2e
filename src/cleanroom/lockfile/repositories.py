"""Git repositories and commits as lock files name them -> one spelling of each.

In: addresses as npm, pip, cargo and others write them. Out: "HOST/PATH" without `.git`, and a
commit's whole name. Never: a branch, a tag, or the beginning of a commit's name.

The same repository is had by https and by ssh, with a user or without: how it is fetched is no
part of what it is called.
"""

import re
from typing import Final
from urllib.parse import unquote

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HOST: Final = r"([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))"
_URL: Final = re.compile(rf"(?:https?|ssh|git)://(?:[^/@\s]*@)?{_HOST}(?::[0-9]{{1,5}})?/(.+)")
# As scp(1) writes it, also behind "ssh://", where npm and yarn leave it.
_SCP: Final = re.compile(rf"(?:ssh://)?(?:[^/@:\s]+@)?{_HOST}:([^/].*)")
_PATH: Final = re.compile(r"[!-~]{1,1024}")
# The words that clients have for hosts: alone, never in an address of a host of that name.
_SHORT: Final = re.compile(r"(?:ssh://)?(github|gitlab|bitbucket):([^/].*)")
_FORGES: Final = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}


def repository_at(address: str) -> str:
    """Return "HOST/PATH" of an address, without its query and fragment; "" if it has none."""
    return canonical_repository(_place_of(address))


def url_of(address: str) -> str:
    """Return where clients ask for the repository of an address; "" if it has none.

    By https whatever is written, but with the path as it is: hosts may know it by that alone.
    """
    host, _, path = _place_of(address).partition("/")
    return f"https://{host.lower().rstrip('.')}/{path.rstrip('/')}" if host and path else ""


def _place_of(address: str) -> str:
    plain = address.removeprefix("git+").partition("#")[0].partition("?")[0]
    short = _SHORT.fullmatch(plain)
    if short is not None:
        return f"{_FORGES[short[1]]}/{short[2].removesuffix('.git')}.git"
    found = _URL.fullmatch(plain) or _SCP.fullmatch(plain)
    return f"{found[1]}/{found[2]}" if found is not None else ""


def canonical_repository(text: str) -> str:
    """Return "HOST/PATH" in its one spelling; "" if it has none."""
    host, _, path = text.partition("/")
    path = unquote(path).rstrip("/").removesuffix(".git")
    parts = path.split("/")
    if not _PATH.fullmatch(path) or any(part in {"", ".", ".."} for part in parts):
        return ""
    return f"{host.lower().rstrip('.')}/{path}"


def whole_commit(text: str) -> str:
    """Return a commit's whole name in lower case; "" for anything else."""
    name = text.lower()
    return name if _COMMIT.fullmatch(name) else ""


def commit_in(address: str) -> str:
    """Return what stands behind an address's `#`: a commit, or `commit=` and one; else ""."""
    fragment = address.partition("#")[2]
    named = [part.partition("commit=")[2] for part in fragment.split("&") if "commit=" in part]
    return whole_commit(named[0] if named else fragment)
