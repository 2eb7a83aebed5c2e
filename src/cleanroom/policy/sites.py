"""Sites of registries: HOST, or HOST/PATH where one host has several registries.

In: text of a policy; the path of a request, in its one reading. Out: the one spelling; which site a
path is of. Never: a path that is of one site as it is written, and of another for a server that
minds no capitals, or no dots at the end of a part.
"""

import re
from collections.abc import Iterable
from typing import Final

from cleanroom.policy.hosts import InvalidHostError, canonical_host

MAX_SITE: Final = 512  # characters
# What read_path of decide/question.py leaves as it is, so that there is one spelling of it.
_PART: Final = re.compile(r"[A-Za-z0-9._~@+!-]+")


def canonical_site(text: str) -> str:
    """Return HOST or HOST/PATH, without a slash at its end. Raises InvalidHostError."""
    if "://" in text:
        msg = "it is a URL"
        raise InvalidHostError(msg, "write HOST, or HOST/PATH, without https://")
    name, slash, path = text.partition("/")
    host = canonical_host(name)
    path = path.removesuffix("/")
    if not slash or not path:
        return host
    if len(text) > MAX_SITE:
        msg = f"it is longer than {MAX_SITE} characters"
        raise InvalidHostError(msg)
    for part in path.split("/"):
        if part in {".", ".."} or not _PART.fullmatch(part):
            msg = "its path has an empty part, dots or a character that no registry's path needs"
            raise InvalidHostError(msg, "write what the registry's addresses begin with")
    return f"{host}/{path}"


def split_site(site: str) -> tuple[str, str]:
    """Return the host of a canonical site, and what its paths begin with: "" or "/PATH"."""
    host, slash, path = site.partition("/")
    return host, f"{slash}{path}"


def hosts_of(sites: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of sites, each once."""
    return tuple(dict.fromkeys(site.partition("/")[0] for site in sites))


def prefix_of(prefixes: Iterable[str], path: str) -> str | None:
    """Return the longest prefix that a path lies below, None if there is none."""
    found = (each for each in prefixes if path == each or path.startswith(f"{each}/"))
    return max(found, key=len, default=None)


def is_own(sites: Iterable[str], beside: Iterable[str], place: str) -> bool:
    """Tell whether HOST/PATH is of one of some sites, and of none of those beside them."""
    own = frozenset(sites)
    host, path = split_site(place)
    there = {
        prefix: site for site in (*own, *beside) for at, prefix in (split_site(site),) if at == host
    }
    found = prefix_of(there, path)
    return found is not None and there[found] in own and not is_respelt(there, path)


def is_respelt(prefixes: Iterable[str], path: str) -> bool:
    """Tell whether a path is of another site for a server that minds no capitals, or no last dots.

    SECURITY: such a server would give what the stricter of two registries holds back.
    """
    known = tuple(prefixes)
    found = prefix_of(known, path)
    return prefix_of(map(folded, known), folded(path)) != (None if found is None else folded(found))


def folded(path: str) -> str:
    """Return a path, or a site, as some servers read it: no capitals, no dots at a part's end."""
    return "/".join(part.rstrip(".") for part in path.lower().split("/"))
