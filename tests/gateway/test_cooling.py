import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.errors import Code
from cleanroom.gateway import flight
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.source import Fetching, Want
from tests.gateway.shelves import Room, room
from tests.gateway.upstreams import HOST, Reply, Taken, Upstream, artifact, page, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_DAY_S = 86_400
_LATE = "2999-01-01T00:00:00.000Z"
_OLD = "2020-01-01T00:00:00.000Z"


class World:
    """A cache before a scripted upstream."""

    def __init__(self, made: Room) -> None:
        self.room = made
        self.upstream = Upstream(made.reactor)
        self.cache = CachedSource(made.reactor, made.shelf, self.upstream)
        self.fetching: Fetching | None = None

    def get(self, asked: Want) -> Taken:
        """Fetch and wait for the end."""
        taken = Taken()
        self.fetching = self.cache.fetch(asked, taken)
        self.room.turn_until(lambda: taken.is_over)
        return taken


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(flight, "_PAUSES_S", (0.01, 0.01, 0.01))
    with room(tmp_path / "cache") as made:
        yield World(made)


def _page(date: str) -> Reply:
    versions: dict[str, dict[str, str]] = {"1.0.0": {}, "2.1.3": {}}
    times = {"1.0.0": _OLD, "2.1.3": date}
    document = {"versions": versions, "time": times, "dist-tags": {"latest": "2.1.3"}}
    return Reply(json.dumps(document).encode())


@pytest.mark.parametrize("date", [_OLD, _LATE, "no date"])
def test_an_artifact_is_as_old_as_its_registry_says(world: World, date: str) -> None:
    world.upstream.answers(_PATH, Reply(b"x"))
    world.upstream.answers("/ms", _page(date))
    for _ in range(2):
        taken = world.get(want(artifact(b"x", cooldown_s=7 * _DAY_S)))
        if date == _OLD:
            assert taken.body == b"x"
        else:
            assert taken.deny
            assert taken.deny.code is Code.COOLDOWN_ACTIVE
    assert world.fetching
    world.fetching.pause()
    world.fetching.resume()
    world.fetching.cancel()
    asked = [each.want.grant.path for each in world.upstream.asked]
    assert asked[0] == "/ms"
    assert (_PATH in asked) is (date == _OLD)


def test_what_one_policys_hosts_say_of_a_date_is_none_for_another_policy(world: World) -> None:
    file = "ms-1.0.tar.gz"
    pages = [{"files": [{"filename": file, "upload-time": date}]} for date in (_OLD, _LATE)]
    grant = dataclasses.replace(
        artifact(b"x", cooldown_s=7), manager="pypi", path=f"/p/{file}", file=file, version="1.0"
    )
    world.upstream.answers(f"/p/{file}", Reply(b"x"))
    world.upstream.answers("/simple/ms/", *[Reply(json.dumps(each).encode()) for each in pages])
    lied_to, told = [
        world.get(Want(sandbox, "files.example", dataclasses.replace(grant, sites=hosts)))
        for sandbox, hosts in (
            ("sbx-a", ("lies.example", "files.example")),
            ("sbx-b", ("index.example", "files.example")),
        )
    ]
    assert lied_to.body == b"x"
    assert told.deny
    assert told.deny.code is Code.COOLDOWN_ACTIVE


def test_a_young_version_is_not_in_the_page(world: World) -> None:
    world.upstream.answers("/ms", _page(_LATE))
    taken = world.get(want(page(cooldown_s=7 * _DAY_S)))
    document = json.loads(taken.body)
    assert list(document["versions"]) == ["1.0.0"]
    assert document["dist-tags"] == {"latest": "1.0.0"}
    assert taken.answer
    assert taken.answer.length == len(taken.body)
    excepted = world.get(want(page(cooldown_s=7 * _DAY_S, excepted=("2.1.3",))))
    assert list(json.loads(excepted.body)["versions"]) == ["1.0.0", "2.1.3"]


def test_a_page_that_cannot_be_judged_is_not_shown(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"<html>"))
    taken = world.get(want(page(cooldown_s=7 * _DAY_S)))
    assert taken.answer is None
    assert taken.deny
    assert "cannot be judged" in taken.deny.reason


def test_a_registry_that_is_down_says_so_instead_of_a_date(world: World) -> None:
    world.upstream.answers("/ms", Reply(down=True))
    taken = world.get(want(artifact(b"x", cooldown_s=7)))
    assert taken.deny
    assert taken.deny.code is Code.UPSTREAM_UNREACHABLE


def test_the_date_of_an_index_is_on_another_host_than_its_files(world: World) -> None:
    file = "ms-1.0.tar.gz"
    files = [{"filename": file, "upload-time": _OLD, "url": f"https://files.example/p/{file}"}]
    grant = dataclasses.replace(
        artifact(b"x", cooldown_s=7), manager="pypi", path=f"/p/{file}", file=file, version="1.0"
    )
    grant = dataclasses.replace(grant, sites=("files.example", "index.example"))
    world.upstream.answers(f"/p/{file}", Reply(b"x"))
    world.upstream.answers(
        "/simple/ms/", Reply(b"no", 404), Reply(json.dumps({"files": files}).encode())
    )
    asked = dataclasses.replace(want(grant), host="files.example")
    assert world.get(asked).body == b"x"
    assert [each.want.host for each in world.upstream.asked] == [
        "files.example", "index.example", "files.example",
    ]  # fmt: skip
    old = dataclasses.replace(page(cooldown_s=7), manager="pypi", path="/simple/ms/")
    html = world.get(Want("sbx-a", HOST, old, accept="text/html"))
    assert b"<a href=" in html.body
    assert html.answer is not None
    assert ("content-type", "text/html; charset=utf-8") in html.answer.fields
    read = world.get(Want("sbx-a", HOST, old, accept="application/vnd.pypi.simple.v1+json"))
    assert read.answer is not None
    assert "html" not in dict(read.answer.fields)["content-type"]


def _crate(**changes: object) -> Grant:
    grant = dataclasses.replace(
        artifact(b"x", cooldown_s=7), manager="cargo", path="/crates/serde/1.0.0/download",
        name="serde", version="1.0.0", file="serde-1.0.0.crate", sites=("crates.example", HOST),
    )  # fmt: skip
    return dataclasses.replace(grant, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("date", [_OLD, _LATE, None])
def test_the_date_of_a_crate_is_in_its_index_if_anywhere(world: World, date: str | None) -> None:
    line = {"name": "serde", "vers": "1.0.0", **({"pubtime": date} if date else {})}
    world.upstream.answers("/crates/serde/1.0.0/download", Reply(b"x"))
    world.upstream.answers(
        "/se/rd/serde", Reply(b"no", 404), Reply(json.dumps(line).encode() + b"\n")
    )
    taken = world.get(dataclasses.replace(want(_crate()), host="crates.example"))
    if date == _OLD:
        assert taken.body == b"x"
    else:
        assert taken.deny
        assert taken.deny.code is Code.COOLDOWN_ACTIVE
    asked = [each.want.host for each in world.upstream.asked]
    assert asked[:2] == ["crates.example", HOST]
    index = dataclasses.replace(page(cooldown_s=7), manager="cargo", path="/se/rd/serde")
    shown = world.get(want(index)).body
    assert bool(shown) is (date == _OLD)


@pytest.mark.parametrize("date", [_OLD, _LATE])
def test_the_date_of_a_module_is_that_of_its_version(world: World, date: str) -> None:
    below = "/proxy/golang.org/x/text/@v/v0.3.0"
    world.upstream.answers(
        f"{below}.info", Reply(json.dumps({"Version": "v0.3.0", "Time": date}).encode())
    )
    for kind in ("mod", "zip"):
        world.upstream.answers(f"{below}.{kind}", Reply(b"x"))
        grant = dataclasses.replace(
            artifact(b"x", cooldown_s=7), manager="go", path=f"{below}.{kind}",
            name="golang.org/x/text", version="v0.3.0", file=f"v0.3.0.{kind}",
        )  # fmt: skip
        taken = world.get(want(grant))
        assert (taken.body, taken.deny is None) == ((b"x", True) if date == _OLD else (b"", False))
    asked = [each.want.grant.path for each in world.upstream.asked]
    assert asked.count(f"{below}.info") == 1


def test_many_that_wait_for_one_page_do_not_read_it_at_once(world: World) -> None:
    """Each would have it in memory: it is read by one after the other, and cancelling is an end."""
    world.upstream.answers(_PATH, Reply(b"x"))
    world.upstream.answers("/ms", _page(_OLD))
    grants = [
        dataclasses.replace(artifact(b"x", cooldown_s=7), version=f"9.{number}")
        for number in range(5)
    ]
    grants = [*grants, artifact(b"x", cooldown_s=7)]
    takers = [Taken() for _ in grants]
    every = [
        world.cache.fetch(want(grant), taker) for grant, taker in zip(grants, takers, strict=True)
    ]
    dates = world.cache._dates
    most = 0
    every[3].cancel()
    every[0].pause()

    def is_over() -> bool:
        nonlocal most
        most = max(most, len(dates._reading))
        if takers[1].is_over:
            every[2].cancel()
        return all(taker.is_over for number, taker in enumerate(takers) if number not in (2, 3))

    every[0].resume()
    world.room.turn_until(is_over)
    assert most == 1
    assert takers[5].body == b"x"
    assert not dates._reading
    assert not dates._line
    assert not dates._counts


def test_one_sandbox_reads_only_so_many_pages_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.gateway.cooling._READERS", 2)
    world.upstream.answers(_PATH, Reply(b"x"))
    takers = [Taken() for _ in range(6)]
    for number, taker in enumerate(takers):
        page_of = _page(_OLD)
        page_of.is_held = True
        world.upstream.answers(f"/p{number}", page_of)
        grant = dataclasses.replace(artifact(b"x", cooldown_s=7), name=f"p{number}")
        world.cache.fetch(want(grant, "sbx-b" if number == 5 else "sbx-a"), taker)
    dates, asked = world.cache._dates, world.upstream.asked

    def are_begun(count: int) -> bool:
        assert dates._counts["sbx-a"] <= 2
        return sum(each.is_begun for each in asked) == count

    world.room.turn_until(lambda: are_begun(3))  # two of one sandbox, one of the other
    finished: set[int] = set()

    def are_over() -> bool:
        assert dates._counts["sbx-a"] <= 2
        for number, each in enumerate(asked):
            if each.is_begun and number not in finished:
                finished.add(number)
                each.finish()
        return all(taker.is_over for taker in takers)

    world.room.turn_until(are_over)
    assert [taker.body for taker in takers] == [b"x"] * 6
    assert not dates._counts


@pytest.mark.parametrize("sites", [(f"{HOST}/api/npm",), ("a.example", f"{HOST}/api/npm")])
def test_a_date_is_asked_for_below_the_site_of_the_file(
    world: World, sites: tuple[str, ...]
) -> None:
    world.upstream.answers(f"/api/npm{_PATH}", Reply(b"x"))
    world.upstream.answers("/api/npm/ms", _page(_OLD))
    changes = {"path": f"/api/npm{_PATH}", "prefix": "/api/npm", "sites": sites}
    grant = dataclasses.replace(artifact(b"x", cooldown_s=_DAY_S), **changes)  # type: ignore[arg-type]
    assert world.get(want(grant)).body == b"x"


def test_the_date_of_a_site_is_none_of_another(world: World) -> None:
    for prefix, date in (("/a", _OLD), ("/b", _LATE)):
        world.upstream.answers(f"{prefix}{_PATH}", Reply(b"x"))
        world.upstream.answers(f"{prefix}/ms", _page(date))
        changes = {
            "path": f"{prefix}{_PATH}",
            "prefix": prefix,
            "sites": (f"{HOST}/a", f"{HOST}/b"),
        }
        grant = dataclasses.replace(artifact(b"x", cooldown_s=_DAY_S), **changes)  # type: ignore[arg-type]
        assert (world.get(want(grant)).deny is None) is (prefix == "/a")
