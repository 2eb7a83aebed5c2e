"""Which question a path of a git host asks, over smart HTTP.

In: a request's target. Out: a Question; the name is the repository's path. Never: a query but the
one that asks for reading; a push; anything that is not the smart protocol.
"""

from typing import Final

from cleanroom.decide.question import Metadata, Question, Service, Talk, read_path

READING: Final = "service=git-upload-pack"
_PUSHING: Final = "service=git-receive-pack"
_NO_PUSH: Final = "repositories are read there, and nothing may be pushed"
_NO_LFS: Final = "repositories are read there, and large files (LFS) are not"
_NO_MORE: Final = "repositories are read there over git's smart HTTP, and nothing else is"


def ask_git(target: str) -> Question:
    """Return what the host is asked for."""
    path = read_path(target)
    if not isinstance(path, str):
        return path
    query = target.partition("?")[2]
    match path[1:].split("/"):
        case [_, *_, "info", "refs"] as parts if query == READING:
            return Metadata("/".join(parts[:-2]), f"{path}?{query}", versions=False)
        case [_, *_, "git-upload-pack"] as parts if not query:
            return Talk("/".join(parts[:-1]), path)
        case [*_, "git-receive-pack"]:
            return Service(path, _NO_PUSH)
        case [*_, "info", "refs"] if query == _PUSHING:
            return Service(path, _NO_PUSH)
        case _:
            return Service(path, _NO_LFS if "/info/lfs/" in path else _NO_MORE)
