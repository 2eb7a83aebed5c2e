"""Whatever is killed while a package is on its way, nothing of it is ever taken for whole."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.egress_world import eventually
from tests.escape.registry_internet import Reply, gate_of, integrity, package_lock, sha256
from tests.escape.registry_world import LOCKS, NPM, Registries, asking, registries

pytestmark = pytest.mark.escape

PATH = "/left-pad/-/left-pad-1.3.0.tgz"
PLACE = f"npm.test{PATH}"
BODY = os.urandom(20 * 1024 * 1024)  # large enough to be released while it comes
LOCK = package_lock({"left-pad": {"version": "1.3.0", "integrity": integrity(BODY)}})
GOOD = [200, "OK", sha256(BODY), len(BODY)]


@pytest.fixture
def outside(programs: Path) -> Iterator[Registries]:
    """Registries of one test, which may break them."""
    assert programs.is_dir()
    with registries() as made:
        yield made


def test_a_gateway_that_is_killed_during_a_miss_leaves_nothing_half(outside: Registries) -> None:
    let_go = gate_of(outside.script, PLACE, BODY)
    running = outside.world.start(NPM, asking(("npm.test", PATH)), files={LOCKS["npm"]: LOCK})
    assert eventually(lambda: outside.script.count(PLACE) == 1, 60)
    os.kill(outside.world.gateway_pid, signal.SIGKILL)
    let_go()
    said = outside.world.finish(running)
    assert said.result is None or said.result[0][0] == 0
    assert not outside.blob(BODY).exists()
    outside.script.answers(PLACE, Reply(BODY))
    assert outside.get(NPM, LOCK, PATH, PATH) == [GOOD, GOOD]
    assert eventually(outside.blob(BODY).exists, 60)


def test_a_daemon_that_is_killed_during_a_miss_leaves_nothing_half(outside: Registries) -> None:
    world = outside.world
    let_go = gate_of(outside.script, PLACE, BODY)
    running = world.start(NPM, asking(("npm.test", PATH)), files={LOCKS["npm"]: LOCK})
    assert eventually(lambda: outside.script.count(PLACE) == 1, 60)
    gateway = world.gateway_pid
    world.daemon.kill()
    world.daemon.wait()
    let_go()
    assert eventually(lambda: not Path(f"/proc/{gateway}").exists(), 60)
    with running.process as process:
        process.communicate(timeout=120)
    assert not outside.keeps_any(BODY[:64])
    assert list((world.home.cache / "cleanroom/content/tmp").iterdir()) == []
