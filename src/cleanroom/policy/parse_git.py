"""`secrets[].git`: the repositories that a secret is git's credential for, and what may be pushed.

In: fields. Out: GitScope. Never: a repository or branch that nobody wrote; a tag.
"""

from typing import Final

from cleanroom.policy.fields import Fields, Key, ListOf, Section
from cleanroom.policy.model import GitScope, PushRules
from cleanroom.policy.values import flag, text

MAX_PATTERNS: Final = 64
_PART: Final = r"(?:[A-Za-z0-9_~+-][A-Za-z0-9._~+-]*)"
_BRANCH_PART: Final = r"(?:[A-Za-z0-9_+=@#-][A-Za-z0-9._+=@#-]*)"

REPOSITORY: Final = text(
    rf"\*|{_PART}(?:/{_PART})*(?:/\*)?", "a repository like owner/name, or owner/*"
)
BRANCH: Final = text(
    rf"\*|(?!refs/){_BRANCH_PART}(?:/{_BRANCH_PART})*(?:/\*)?", "a branch like fix, or agent/*"
)
_REPOSITORIES = Key(
    "repositories",
    ListOf(REPOSITORY, MAX_PATTERNS, least=1),
    (),
    "Only these: `owner/name`, `owner/*` for all below, `*` for all of the host.",
    required=True,
)
_USERNAME = Key(
    "username",
    text(r"[A-Za-z0-9._@+-]{1,64}", "a user name"),
    "x-access-token",
    "What the host is told as user name, beside the value as password.",
    shown="x-access-token",
)
_BRANCHES = Key(
    "branches",
    ListOf(BRANCH, MAX_PATTERNS, least=1),
    (),
    "Only these: `fix`, `agent/*` for all below, `*` for all. Never tags or other refs.",
    required=True,
)
_FORCE = Key(
    "force",
    flag(),
    default=False,
    meaning="Branches that exist may be moved to anything.",
    shown="false",
)
_DELETE = Key("delete", flag(), default=False, meaning="Branches may be deleted.", shown="false")


def _build_push(fields: Fields) -> PushRules:
    return PushRules(fields.read(_BRANCHES), fields.read(_FORCE), fields.read(_DELETE))


_PUSH: Final[Key[PushRules | None]] = Key(
    "push",
    Section((_BRANCHES, _FORCE, _DELETE), _build_push),
    None,
    "What may be pushed to them. Unset: nothing.",
)


def _build_git(fields: Fields) -> GitScope:
    names = tuple(each.removesuffix(".git") for each in fields.read(_REPOSITORIES))
    return GitScope(names, fields.read(_PUSH), fields.read(_USERNAME))


GIT: Final[Key[GitScope | None]] = Key(
    "git",
    Section((_REPOSITORIES, _PUSH, _USERNAME), _build_git),
    None,
    "It is git's credential: for these repositories of `registries.git`, and for nothing else.",
)
