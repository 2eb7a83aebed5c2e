"""A path is below the site where every server sees it, however it reads paths, or it is of none."""

import posixpath
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import unquote

import pytest

from cleanroom.decide.registries import Found, Registries, find_registry, judge_by
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy
from tests.seeds import NIGHTLY, chance

PATHS = 2_000_000 if NIGHTLY else 8_000
HOST: Final = "h.test"
_PREFIXES: Final = (
    "/a", "/a/b", "/a/b/c", "/ab", "/A-b", "/api/npm", "/api/npm/x", "/api/pypi", "/a.b", "/@s",
    "/a+b", "/~a", "/api",
)  # fmt: skip
_PIECES: Final = (
    "/", "/", "/", "//", "/./", "/../", "%2f", "%2F", "%252f", "%2e", "%2e%2e", "%5c", "\\", ";x",
    "?", "?a=/b", "#", ".", "..", "...", " ", "%20", "%00", "+", "%2b", "@", "%40", "~", "%7E", "!",
    "%41", "%61", "A", "b", "B", "x", "ms", "é", "\u212a", "simple", "-", "http://h.test/a",
)  # fmt: skip


def as_written(path: str) -> str:
    return unquote(path)


def normalised(path: str) -> str:
    return posixpath.normpath(unquote(path)).replace("//", "/")


def twice(path: str) -> str:
    return unquote(unquote(path))


def without_words(path: str) -> str:
    """Read it as servers do that know words behind `;`, and `\\` as another `/`."""
    return normalised(
        "/".join(part.partition(";")[0] for part in path.replace("\\", "/").split("/"))
    )


def no_capitals(path: str) -> str:
    return "/".join(part.rstrip(". ") for part in normalised(path).casefold().split("/"))


SERVERS: Final[tuple[Callable[[str], str], ...]] = (
    as_written, normalised, twice, without_words,
)  # fmt: skip


def seen(prefixes: list[str], path: str) -> str | None:
    """Return the longest one that a server sees a path below."""
    below = [each for each in prefixes if f"{path}/".startswith(f"{each}/")]
    return max(below, key=len, default=None)


def sites(random: Random) -> tuple[list[str], Registries]:
    """Return what the paths of some sites of a host begin with, each a registry's."""
    chosen = random.sample(_PREFIXES, random.randint(1, 5))
    chosen += [""] if random.randrange(3) == 0 else []
    registries = tuple(
        RegistryPolicy(
            random.choice(("npm", "pypi", "cargo")), enabled=True, allowed_hosts=(f"{HOST}{each}",)
        )
        for each in chosen
    )
    return chosen, judge_by(CompiledPolicy("sha256:0", "", registries=registries)).registries


def target(random: Random, prefixes: list[str]) -> str:
    """Return a path that may be below one of them, or nearly."""
    begin = random.choice((*prefixes, *_PREFIXES))
    if random.randrange(3) == 0 and begin:
        at = random.randrange(1, len(begin))
        other = random.choice((begin[at].swapcase(), f"%{ord(begin[at]):02x}", begin[at] + "."))
        begin = begin[:at] + other + begin[at + 1 :]
    more = "".join(random.choice(_PIECES) for _ in range(random.randrange(5)))
    return f"{begin or '/'}{random.choice(('', '/', '/'))}{more}"


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_a_path_is_of_the_site_where_every_server_sees_it() -> None:
    found_some = 0
    for number in range(PATHS):
        random = chance(number)
        prefixes, registries = sites(chance(number // 20))
        asked = target(random, prefixes)
        path = asked.partition("?")[0]
        readings = {server(path) for server in SERVERS}
        found = find_registry(registries, HOST, asked)
        case = f"{number} {asked!r} of {prefixes}: {found}"
        if isinstance(found, Found):
            if prefixes == [""]:  # its grammar reads the path
                continue
            found_some += 1
            assert {seen(prefixes, each) for each in readings} == {found.prefix}, case
            folded = {no_capitals(each): each for each in prefixes}
            assert folded[str(seen(list(folded), no_capitals(path)))] == found.prefix, case
            assert found.registry.policy.allowed_hosts == (f"{HOST}{found.prefix}",)
            assert found.before in ("", found.prefix), case
        elif found is None:
            assert {seen(prefixes, each) for each in readings} == {None}, case
        else:  # only what has more than one reading
            is_odd = not path.isascii() or not path[1:].replace("/", "").isalnum() or "//" in path
            assert is_odd or path != path.lower(), case
    assert found_some > PATHS // 20
