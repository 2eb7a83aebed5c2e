"""Offline nothing leaves; what was fetched before, or warmed, is there all the same."""

import json

import pytest

from tests.escape.egress_world import Report, eventually
from tests.escape.registry_internet import Package, Project, Reply, unique
from tests.escape.registry_world import NPM, PYPI, Registries, asking

pytestmark = pytest.mark.escape

ONLINE = NPM.replace("allow: []", "allow: [{host: evil.test, ports: [443]}]")


def offline(outside: Registries, policy: str, lock: str, *requests: tuple[str, str]) -> Report:
    """Make requests in an offline sandbox of its own."""
    return outside.run(policy, asking(*requests), lock, flags=("--offline",))


def test_offline_nothing_leaves_and_what_is_missing_is_named(outside: Registries) -> None:
    pad = Package(unique("pad"))
    outside.script.answers(pad.place, Reply(pad.data))
    requests = (("npm.test", pad.file), ("npm.test", f"/{pad.name}"), ("evil.test", "/"))
    said = offline(outside, ONLINE, pad.lock, *requests)
    package, page, other = said.result
    assert package[0] == page[0] == 403
    assert package[1].startswith(f"offline_miss: {pad.name} 1.3.0 of npm.test is not in the")
    assert page[1].startswith(f"offline_miss: {pad.name} of npm.test is not in the")
    assert other[0] == 0
    assert len(said.denials("offline_miss")) == 3
    assert outside.world.reached() == []
    assert outside.world.left() == set()
    assert outside.world.internet.queries == []


def cache_use(outside: Registries) -> dict[str, int]:
    """Return what the status of the last run says of the cache."""
    out, _ = outside.world.command("status", "--json").communicate(timeout=60)
    use: dict[str, int] = json.loads(out)["cache"]
    return use


def test_what_was_fetched_before_is_there_offline(outside: Registries) -> None:
    pad = Package(unique("pad"))
    outside.script.answers(pad.place, Reply(pad.data))
    assert outside.get(NPM, pad.lock, pad.file) == [pad.good]
    assert cache_use(outside) == {
        "hits": 0, "misses": 1, "stale": 0, "saved_bytes": 0, "fetched_bytes": len(pad.data)
    }  # fmt: skip
    found: list[list[object]] = []

    def is_kept() -> bool:
        found.append(offline(outside, NPM, pad.lock, ("npm.test", pad.file)).result)
        return found[-1] == [pad.good]

    assert eventually(is_kept, 60)  # it is written after it was handed over
    assert outside.script.count(pad.place) == 1
    use = cache_use(outside)
    assert (use["hits"], use["misses"], use["stale"]) == (1, 0, 0)
    assert (use["saved_bytes"], use["fetched_bytes"]) == (len(pad.data), 0)


def test_a_cache_that_was_warmed_is_enough_for_npm(outside: Registries) -> None:
    pad, gone = Package(unique("pad")), Package(unique("gone"))
    outside.script.answers(pad.place, Reply(pad.data))
    outside.script.answers(f"npm.test/{pad.name}", pad.page)
    assert outside.warm(NPM, pad.lock)[:2] == (0, f"1 package: 1 file, {len(pad.data)} B\n")
    outside.script.replies.clear()
    requests = (("npm.test", pad.file),)
    assert offline(outside, NPM, pad.lock, *requests).result == [pad.good]
    status, out, err = outside.warm(NPM, gone.lock)
    assert (status, out) == (1, "1 package: 0 files, 0 B\n")
    assert f"not fetched: {gone.name}" in err


def test_a_cache_that_was_warmed_is_enough_for_pip(outside: Registries) -> None:
    project = Project(unique("some_pkg"))
    outside.script.answers(f"index.test/simple/{project.name}/", project.page)
    outside.script.answers(f"files.test{project.file}", Reply(project.wheel))
    status, out, err = outside.warm(PYPI, project.lock)
    assert (status, out) == (0, f"1 package: 1 file, {len(project.wheel)} B\n"), err
    found = offline(outside, PYPI, project.lock, ("files.test", project.file)).result
    assert found[0][0] == 200


def test_a_tampered_package_is_not_warmed(outside: Registries) -> None:
    pad = Package(unique("pad"))
    outside.script.answers(pad.place, Reply(pad.tampered))
    outside.script.answers(f"npm.test/{pad.name}", pad.page)
    status, out, err = outside.warm(NPM, pad.lock)
    assert (status, out) == (1, "1 package: 0 files, 0 B\n")
    assert f"not fetched: {pad.name} 1.3.0: integrity_mismatch" in err
    assert not outside.keeps_any(pad.tampered)
