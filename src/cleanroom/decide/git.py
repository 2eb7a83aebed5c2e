"""Which question a path of a git host asks, over smart HTTP.

In: a request's target. Out: a Question; the name is the repository's path. Never: a query but the
two that ask for a repository's branches; anything that is not the smart protocol.
"""

from typing import Final

from cleanroom.decide.question import Metadata, Push, Question, Service, Talk, read_path

READING: Final = "service=git-upload-pack"
_PUSHING: Final = "service=git-receive-pack"
_STEPS: Final = ("/info/refs", "/git-upload-pack", "/git-receive-pack")
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
        case [_, *_, "info", "refs"] as parts if query == _PUSHING:
            return Push("/".join(parts[:-2]), f"{path}?{query}", "GET")
        case [_, *_, "git-receive-pack"] as parts if not query:
            return Push("/".join(parts[:-1]), path, "POST")
        case _:
            return Service(path, _NO_LFS if asks_lfs(path) else _NO_MORE)


def asks_lfs(path: str) -> bool:
    """Tell whether a request is for large files, which are not read or pushed here."""
    return "/info/lfs/" in path


def repository_of(path: str) -> str:
    """Return which repository a request is for, as policies name it; "" if for none."""
    read = read_path(path)
    if isinstance(read, str):
        for step in _STEPS:
            if read.endswith(step):
                return read[1:].removesuffix(step).removesuffix(".git")
    return ""
