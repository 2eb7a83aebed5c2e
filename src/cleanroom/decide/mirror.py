"""Mirrors: where the operator has a registry's host asked instead, and its answers under own names.

In: the operator's mirrors; hosts and paths, pages of a registry. Out: places at a mirror, public
places, pages with public names. Never: I/O; a place that was not judged under its public name.

Policies, lock files, the cache's index and the sandbox know public names only.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cleanroom.decide.artifact import Grant
from cleanroom.decide.pypi import SIDE_FILES
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.policy.opened import registry_hosts
from cleanroom.policy.sites import hosts_of

HTTPS_PORT: Final = 443
# No id of a policy's secret has a colon: what a policy binds and what a mirror needs never meet.
_VALUE: Final = "mirror:"
_FOR_EVER_S: Final = 10 * 365 * 86_400  # the value is its sandbox's until that ends
# Whose pages link to files by URL. Go's and git's name none.
_LINKING: Final = frozenset({"npm", "pypi", "cargo"})
_SIMPLE: Final = "/simple/"  # where public indexes have their pages of projects
_CRATES_CONFIG: Final = "/config.json"  # of a sparse index: where crates are, and who may ask
_LOGIN: Final = re.compile(rb'"auth-required"\s*:\s*true')
_NOT_BEFORE: Final = rb"(?![\w.~:@%+-])"  # letters that would make another host or path of it


@dataclass(frozen=True, slots=True)
class Mirror:
    """One mirror. `host` is what policies name; `url` is https, without a slash at its end.

    `auth` is the id of the operator's secret that it wants, "" if none; it is sent as a password of
    `user`, or as a bearer token where there is no user. `storage` is where its files may lie
    (decide/storage.py): each is NAME, or NAME:PORT. `simple` is where it has an index's pages of
    projects, if not at "simple".
    """

    host: str
    url: str
    auth: str = ""
    user: str = ""
    storage: tuple[str, ...] = ()
    simple: str = ""

    @property
    def name(self) -> str:
        """The name that is dialled and has to be proved."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port that is dialled."""
        return urlsplit(self.url).port or HTTPS_PORT

    @property
    def label(self) -> str:
        """What people and requests call it: NAME, or NAME:PORT."""
        return self.name if self.port == HTTPS_PORT else f"{self.name}:{self.port}"

    @property
    def prefix(self) -> str:
        """What stands before each public path."""
        return urlsplit(self.url).path

    def path_of(self, public: str) -> str:
        """Return where the mirror has a public path."""
        if self.simple and public.startswith(_SIMPLE):
            public = f"/{self.simple}/{public.removeprefix(_SIMPLE)}"
        return f"{self.prefix}{public}"

    def public_of(self, path: str) -> str:
        """Return the public path of one below the mirror's prefix."""
        public = path[len(self.prefix) :] or "/"
        own = f"/{self.simple}/"
        if self.simple and public.startswith(own):
            return f"{_SIMPLE}{public.removeprefix(own)}"
        return public

    @property
    def text(self) -> str:
        """What it means, as a sentence without a full stop."""
        kind = f"as the password of {self.user}" if self.user else "as a bearer token"
        told = f", with the operator's secret '{self.auth}' {kind}" if self.auth else ""
        files = f", with files in {', '.join(self.storage)}" if self.storage else ""
        return f"{self.host} is asked at its mirror {self.url}{told}{files}"

    @property
    def value_id(self) -> str:
        """The name under which its secret's value is handed over; "" if it needs none."""
        return f"{_VALUE}{self.auth}" if self.auth else ""


Mirrors = Mapping[str, Mirror]  # by public host
NO_MIRRORS: Final[Mirrors] = {}


def make_mirrors(every: Iterable[Mirror]) -> Mirrors:
    """Index mirrors by the host that they stand for."""
    return {mirror.host: mirror for mirror in every}


def mirrors_of(mirrors: Mirrors, sites: Iterable[str]) -> Mirrors:
    """Return those of some sites' hosts."""
    if not mirrors:
        return NO_MIRRORS
    return {host: mirrors[host] for host in hosts_of(sites) if host in mirrors}


def mirrors_for(mirrors: Iterable[Mirror], policy: CompiledPolicy) -> tuple[Mirror, ...]:
    """Return the mirrors that a policy's registries are asked at."""
    hosts = registry_hosts(policy)
    return tuple(mirror for mirror in mirrors if mirror.host in hosts)


def binding_of(value_id: str) -> SecretBinding:
    """Return how a mirror's value is held: bound to no host of the sandbox's, in no variable."""
    return SecretBinding(value_id, "", (), (), ttl_s=_FOR_EVER_S)


def is_of_operator(value_id: str) -> bool:
    """Tell whether a value was handed over for a mirror, and so is nothing to the sandbox."""
    return value_id.startswith(_VALUE)


def public_place(mirrors: Mirrors, asked: str, at: tuple[str, int], path: str) -> tuple[str, str]:
    """Return the public host and path of a place at a mirror, ("", "") if it is of none.

    Of several hosts with one mirror it is of `asked`, which was asked for.
    """
    for mirror in _in_order(mirrors, asked):
        is_below = path.startswith(f"{mirror.prefix}/") or path == mirror.prefix
        if (mirror.name, mirror.port) == at and is_below:
            return mirror.host, mirror.public_of(path)
    return "", ""


def renaming(mirrors: Mirrors, grant: Grant, asked: str) -> Callable[[bytes], bytes] | None:
    """Return what gives a page's links public names again; None where nothing is to be renamed.

    What belongs to one file stays as it is: the registry has its digest.
    """
    is_page = grant.kind == "metadata" and not grant.path.endswith(SIDE_FILES)
    if not mirrors or not is_page or grant.manager not in _LINKING:
        return None
    names: dict[bytes, bytes] = {}
    for mirror in _in_order(mirrors, asked):
        for slash in ("/", "\\/"):  # as some write it in JSON
            url, public = (
                text.replace("/", slash).encode() for text in (mirror.url, f"https://{mirror.host}")
            )
            names.setdefault(url, public)
    links = re.compile(b"(?:%b)%b" % (b"|".join(map(re.escape, names)), _NOT_BEFORE))
    own = mirrors.get(asked)
    says_who = grant.manager == "cargo" and grant.path.endswith(_CRATES_CONFIG)
    if says_who and own is not None and own.auth:
        # It is the gateway that logs in: cargo, which has no token, would not even ask.
        return lambda page: _LOGIN.sub(
            b'"auth-required":false', links.sub(lambda found: names[found[0]], page)
        )
    return lambda page: links.sub(lambda found: names[found[0]], page)


def _in_order(mirrors: Mirrors, asked: str) -> list[Mirror]:
    """The longest prefix first: a mirror may lie below another one's."""
    return sorted(
        mirrors.values(), key=lambda each: (-len(each.prefix), each.host != asked, each.host)
    )
