"""Repositories of git as package URLs name them, for `registries.git.exceptions`.

In: a package URL. Out: "HOST/PATH" and a commit, as lock files are read. Never: a branch, a tag or
the beginning of a commit's name taken for a commit.

`pkg:github/OWNER/NAME@COMMIT`, likewise gitlab and bitbucket; of any other host
`pkg:generic/NAME?vcs_url=git+https://HOST/PATH@COMMIT`. Without a commit it is all of it.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

from cleanroom.lockfile.repositories import repository_at, whole_commit

_FORGES: Final = ("pkg:github/", "pkg:gitlab/", "pkg:bitbucket/")
_GENERIC: Final = "pkg:generic/"
_VCS_URL: Final = "vcs_url="
# SECURITY: whoever writes one of these means less than all of the repository.
_VAGUE: Final = re.compile(r"[#?]|@$")
GIT_EXCEPTIONS: Final = "registries.git.exceptions"
EXAMPLE: Final = f"{_GENERIC}NAME?{_VCS_URL}git+https://HOST/PATH@COMMIT"


def read_git_purl(purl: str) -> tuple[str, str] | None:
    """Return the repository and the commit, "" for all of them; None if it names none of git."""
    path, _, qualifiers = purl.partition("?")
    if _VAGUE.search(unquote(path)) or _VAGUE.search(unquote(qualifiers)):
        return None
    named, _, behind = unquote(path).partition("@")
    if path.startswith(_FORGES) and not qualifiers:
        address, commit = named.removeprefix("pkg:").replace("/", ":", 1), behind
    elif path.startswith(_GENERIC) and not behind and qualifiers.startswith(_VCS_URL):
        address, commit = _place(unquote(qualifiers.removeprefix(_VCS_URL)))
    else:
        return None
    name = repository_at(address)
    if not name or (commit and not whole_commit(commit)):
        return None
    return name, whole_commit(commit)


def exception_line(manager: str, purl: str) -> str:
    """Return the line of a policy that excepts it; whoever writes it says until when and why."""
    return (
        f"registries.{manager}.exceptions: [{{purl: '{purl}', expires: YYYY-MM-DD, reason: WHY}}]"
    )


def exception_for(host: str, path: str) -> str:
    """Return the line of a policy that opens all of a repository."""
    path = quote(path.removesuffix(".git"), safe="/~")
    name = re.sub(r"[^A-Za-z0-9._-]", "-", path.rpartition("/")[2])
    return exception_line("git", f"{_GENERIC}{name}?{_VCS_URL}git+https://{host}/{path}")


def _place(url: str) -> tuple[str, str]:
    """Split an address and the commit behind the `@` of its path."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    path, _, commit = path.partition("@")
    return f"{scheme}://{host}/{path}", commit
