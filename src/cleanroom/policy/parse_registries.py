"""`registries`: package managers whose traffic the gateway takes part in.

In: fields. Out: one RegistryPolicy a manager that is written. Never: a host outside allowed_hosts.
"""

from typing import Final

from cleanroom.policy.fields import Fields, Key, ListOf, Section
from cleanroom.policy.git_purl import EXAMPLE, read_git_purl
from cleanroom.policy.model import (
    PURL_TYPES,
    LockfilePolicy,
    RegistryException,
    RegistryPolicy,
)
from cleanroom.policy.parse_sandbox import MAX_PATHS, RELATIVE_PATH
from cleanroom.policy.sites import folded
from cleanroom.policy.values import choice, duration, flag, site, text

MANAGERS: Final = ("npm", "pypi", "cargo", "go", "git")
MAX_HOSTS: Final = 64
MAX_EXCEPTIONS: Final = 256
_DAY_S: Final = 86_400
_NOT_OF_GIT: Final = "under `registries.git` it refuses to run"
_EXAMPLES: Final = "a package URL like pkg:npm/left-pad@1.3.0"

_PURL = Key(
    "purl",
    text(r"pkg:[a-z0-9.+-]+/[A-Za-z0-9._~%@/+:-]+(?:\?vcs_url=[A-Za-z0-9._~%@/+:-]+)?", _EXAMPLES),
    "",
    "Which package, as a package URL.",
    required=True,
)
_HASH = Key(
    "hash",
    text(r"(?:sha256|sha384|sha512):[0-9a-f]{64,128}", "a digest like sha256:…"),
    None,
    "The digest its file must have.",
)
_EXPIRES = Key(
    "expires",
    text(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", "a date like 2027-01-31"),
    "",
    "The last day it holds, UTC.",
    required=True,
)
_REASON = Key("reason", text(), "", "Why, for whoever reads the audit.", required=True)


def _build_exception(fields: Fields) -> RegistryException:
    return RegistryException(
        purl=fields.read(_PURL),
        digest=fields.read(_HASH),
        expires=fields.read(_EXPIRES),
        reason=fields.read(_REASON),
    )


EXCEPTION: Final = Section((_PURL, _HASH, _EXPIRES, _REASON), _build_exception, "exception")

_LOCK_ENABLED = Key(
    "enabled",
    flag(),
    default=False,
    meaning="Hold artifacts to the lock files.",
    shown="false",
)
_MODE = Key(
    "mode",
    choice("deny_unknown", "warn", "off"),
    "deny_unknown",
    "What happens to an artifact that no lock file pins.",
    shown="deny_unknown",
)
_LOCKFILES = Key(
    "lockfiles",
    ListOf(text(RELATIVE_PATH, "a path or glob inside the repository"), MAX_PATHS),
    (),
    "Lock files, as paths or globs beside the policy.",
    shown="[]",
)


def _build_lockfile(fields: Fields) -> LockfilePolicy:
    policy = LockfilePolicy(
        enabled=fields.read(_LOCK_ENABLED),
        mode=fields.read(_MODE),
        lockfiles=fields.read(_LOCKFILES),
    )
    if policy.enabled and policy.mode != "off" and not policy.lockfiles:
        hint = "name at least one lock file"
        fields.wrong(_LOCKFILES, "cannot enforce lock files: none is named", hint)
    return policy


LOCKFILE: Final = Key(
    "lockfile_enforcement",
    Section((_LOCK_ENABLED, _MODE, _LOCKFILES), _build_lockfile),
    LockfilePolicy(),
    "Only what the repository's lock files pin is fetched.",
)
_ENABLE = Key(
    "enable",
    flag(),
    default=False,
    meaning="Open this registry through the content cache.",
    shown="false",
)
_HOSTS = Key(
    "allowed_hosts",
    ListOf(site(), MAX_HOSTS),
    (),
    "The registry's hosts; they need no network rule. Where a host has several registries, "
    "HOST/PATH is what each one's addresses begin with.",
    shown="[]",
)
_CACHE = Key(
    "cache_ref",
    text(
        r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", "a name of lower-case letters, digits, hyphens"
    ),
    None,
    "Which content cache of the operator: `content-cache` is the only one.",
    later="any other name refuses to run",
)
_FALLBACK = Key(
    "fallback",
    choice("deny", "direct"),
    "deny",
    "What happens when the cache itself fails; never applies to a refusal.",
    shown="deny",
)
_COOLDOWN = Key(
    "cooldown",
    duration(1, 3650 * _DAY_S),
    None,
    "Hide versions younger than this.",
    later=_NOT_OF_GIT,
)
_EXCEPTIONS = Key(
    "exceptions",
    ListOf(EXCEPTION, MAX_EXCEPTIONS),
    (),
    "Packages that pass although unlocked or too young.",
    shown="[]",
)
_READ_ONLY = Key(
    "read_only",
    flag(),
    default=True,
    meaning="Refuse whatever is no package or its metadata. Writing is refused either way, but for "
    "what a secret's `git.push` names.",
    shown="true",
)


def _check_purls(fields: Fields, policy: RegistryPolicy) -> None:
    """An exception of another manager's package would never except anything."""
    begin = f"pkg:{PURL_TYPES.get(policy.manager)}/"
    purls = [each.purl for each in policy.exceptions if each.purl]  # "": wrong already
    if policy.manager == "git":
        _check_repositories(fields, policy, purls)
        return
    foreign = [purl for purl in purls if not purl.startswith(begin) or "?" in purl]
    if foreign:
        message = f"cannot except {foreign[0][:40]}: it is no package of {policy.manager}"
        fields.wrong(_EXCEPTIONS, message, f"begin it with {begin}")


def _check_repositories(fields: Fields, policy: RegistryPolicy, purls: list[str]) -> None:
    wrong = [purl for purl in purls if read_git_purl(purl) is None]
    if wrong:
        message = f"cannot except {wrong[0][:40]}: it is no repository, with a whole commit or none"
        fields.wrong(_EXCEPTIONS, message, f"write it as {EXAMPLE}")
    if any(each.digest for each in policy.exceptions):
        message = "cannot hold a repository to a hash: its commit says what it is"
        fields.wrong(_EXCEPTIONS, message, "write the commit behind the `@` of purl")


def _registry(manager: str) -> Key[RegistryPolicy | None]:
    def build(fields: Fields) -> RegistryPolicy:
        policy = RegistryPolicy(
            manager=manager,
            enabled=fields.read(_ENABLE),
            allowed_hosts=fields.read(_HOSTS),
            cache_ref=fields.read(_CACHE),
            fallback=fields.read(_FALLBACK),
            lockfile=fields.read(LOCKFILE),
            cooldown_s=fields.read(_COOLDOWN),
            read_only=fields.read(_READ_ONLY),
            exceptions=fields.read(_EXCEPTIONS),
        )
        if policy.enabled and not policy.allowed_hosts:
            hint = "name the registry's hosts"
            fields.wrong(_HOSTS, f"cannot enable {manager}: allowed_hosts is empty", hint)
        _check_purls(fields, policy)
        return policy

    section = Section(
        (_ENABLE, _HOSTS, _CACHE, _FALLBACK, LOCKFILE, _COOLDOWN, _EXCEPTIONS, _READ_ONLY), build
    )
    what = "Repositories" if manager == "git" else "Packages"
    return Key(manager, section, None, f"{what} of {manager}.")


_REGISTRIES = tuple(map(_registry, MANAGERS))
_ALIASES = {
    "pip": "did you mean 'pypi'?",
    "python": "did you mean 'pypi'?",
    "yarn": "did you mean 'npm'?",
    "node": "did you mean 'npm'?",
    "crates": "did you mean 'cargo'?",
    "golang": "did you mean 'go'?",
}


def _build_registries(fields: Fields) -> tuple[RegistryPolicy, ...]:
    read = (fields.read(key) for key in _REGISTRIES)
    policies = tuple(policy for policy in read if policy is not None)
    _check_sites(fields, policies)
    return policies


def _check_sites(fields: Fields, policies: tuple[RegistryPolicy, ...]) -> None:
    """SECURITY: a request is of one registry, and no path says of itself which one."""
    owners: dict[str, str] = {}
    for policy in policies:
        for each in policy.allowed_hosts if policy.enabled else ():
            owner = owners.setdefault(folded(each), policy.manager)
            if owner != policy.manager:
                key = next(key for key in _REGISTRIES if key.name == policy.manager)
                message = f"cannot have {each} in allowed_hosts of {owner} and of {policy.manager}"
                hint = f"write what one's addresses begin with, as {each}/PATH"
                fields.wrong(key, message, hint)


REGISTRIES: Final = Key(
    "registries",
    Section(_REGISTRIES, _build_registries, elsewhere=_ALIASES),
    (),
    "Package registries opened by name.",
)
