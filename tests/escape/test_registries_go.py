"""Go modules: what go.sum pins comes from the cache, verified; no other name reaches the proxy.

By requests of our own, and by go itself. Promises R1, R2, R9, R13 for Go's module proxies.
"""

import struct
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.registry_internet import Reply, sha256, unique
from tests.escape.registry_modules import INDEX, PROXY, Module, go_mod, have_modules, module
from tests.escape.registry_world import GO, Registries, registry_policy

pytestmark = pytest.mark.escape

RUN: Final = f"""
import os, shutil, subprocess
shutil.copytree(".", "/tmp/work")
ENV = dict(os.environ, GOPROXY="https://{PROXY}", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
def run(*words):
    done = subprocess.run(("/usr/bin/go", *words), capture_output=True, text=True, timeout=100,
                          cwd="/tmp/work", env=ENV)
    return [done.returncode, done.stdout + done.stderr]
"""


@pytest.fixture
def lib(outside: Registries) -> Module:
    """A module of this test alone, of which the proxy has two versions."""
    made = Module(f"mods.example/Team/{unique('lib')}")
    have_modules(outside.script, made.name, {"v1.0.0": made.good, "v1.1.0": made.newer})
    return made


def go(outside: Registries, lib: Module, *words: str, flags: tuple[str, ...] = ()) -> Report:
    """Run go in a workspace that needs the module."""
    if not Path("/usr/bin/go").exists():
        pytest.skip("this machine lacks go")
    files = {
        "go.mod": f"module work.example/work\n\ngo 1.20\n\nrequire {lib.name} v1.0.0\n",
        "work.go": f'package work\n\nimport lib "{lib.name}"\n\nconst Two = lib.One + 1\n',
    }
    program = f"{RUN}\nresult = run(*{words!r})"
    return outside.run(GO, program, lib.sum, files, flags)


def test_a_locked_module_is_fetched_once_for_all_sandboxes(
    outside: Registries, lib: Module
) -> None:
    for _ in range(2):
        zipped, mod = outside.get(GO, lib.sum, lib.zip, lib.mod, host=PROXY)
        assert zipped == [200, "OK", sha256(lib.good), len(lib.good)]
        assert mod[2] == sha256(go_mod(lib.name).encode())
    assert outside.script.count(f"{PROXY}{lib.zip}") == 1
    assert outside.script.count(f"{PROXY}{lib.mod}") == 1


@pytest.mark.parametrize("kind", ["zip", "mod"])
def test_a_tampered_module_is_refused_and_not_kept(
    outside: Registries, lib: Module, kind: str
) -> None:
    path, evil = {"zip": (lib.zip, lib.evil), "mod": (lib.mod, go_mod(lib.name).encode() + b"//")}[
        kind
    ]
    outside.script.answers(f"{PROXY}{path}", Reply(evil))
    said = outside.ask(GO, lib.sum, (PROXY, path))
    assert said.result[0][0] == 403
    (denied,) = said.denials("integrity_mismatch")
    assert denied["artifact"] == f"{lib.name} v1.0.0"
    assert "go.sum:" in denied["reason"]
    assert not outside.keeps_any(evil)
    have_modules(outside.script, lib.name, {"v1.0.0": lib.good})
    assert outside.get(GO, lib.sum, path, host=PROXY)[0][0] == 200


def test_a_zip_file_that_swells_is_left(outside: Registries, lib: Module) -> None:
    """A file of a few bytes, it says; it has 100 million. R9."""
    bomb = bytearray(module(lib.name, "v1.0.0", "\0" * 100_000_000))
    at = bomb.rindex(b"PK\1\2")
    bomb[at + 24 : at + 28] = struct.pack("<L", 24)
    outside.script.answers(f"{PROXY}{lib.zip}", Reply(bytes(bomb)))
    said = outside.ask(GO, lib.sum, (PROXY, lib.zip))
    assert said.result[0][0] == 403
    assert "longer than it says" in said.denials("integrity_mismatch")[0]["reason"]
    peak = Path(f"/proc/{outside.world.gateway_pid}/status").read_text()
    assert int(peak.partition("VmHWM:")[2].split()[0]) < 100_000


@pytest.mark.parametrize(
    "path",
    [
        "LIB/@v/v1.1.0.zip",
        "LIB/@v/v1.1.0.mod",
        "LIB/@v/v1.1.0.info",
        "LIB/@v/the-secret.info",
        "/the-secret.evil.test/x/@v/list",
        "/evil.test/the-secret/@latest",
        "LIB/the-secret/@v/list",
        "/lookup/evil.test/the-secret@v1.0.0",
        "/sumdb/the-secret.evil.test/latest",
        "/sumdb/sum.golang.org/lookupLIB@v9.0.0",
        "/search",
    ],
)
def test_the_proxy_hears_no_name_that_is_not_locked(
    outside: Registries, lib: Module, path: str
) -> None:
    """A proxy that does not know a module asks the host in its name: names can carry data."""
    asked, listed = path.replace("LIB", lib.below), f"{lib.below}/@v/list"
    outside.script.answers(f"{PROXY}{asked}", Reply(b"there is one"))
    places = (PROXY, asked), (PROXY, listed), (PROXY, "/mods.example/@v/list")
    said = outside.ask(GO, lib.sum, *places)
    assert [each[0] for each in said.result] == [403, 200, 404]
    assert outside.script.count(f"{PROXY}{asked}") == 0
    assert "the-secret" not in str([each.path for each in outside.script.asked])


def test_a_name_is_written_in_one_way(outside: Registries, lib: Module) -> None:
    paths = [f"/{lib.name}/@v/v1.0.0.zip", *(lib.zip.replace("!t", e) for e in ("%21t", "!!t"))]
    said = outside.get(GO, lib.sum, *paths, host=PROXY)
    assert [each[0] for each in said] == [400, 200, 400]


def test_a_checksum_database_is_read_by_itself_and_through_a_proxy(
    outside: Registries, lib: Module
) -> None:
    pages = {
        INDEX: ("/latest", "/tile/8/0/x001/234.p/7", f"/lookup{lib.below}@v1.0.0"),
        PROXY: ("/sumdb/sum.golang.org/supported", "/sumdb/sum.golang.org/tile/8/data/001"),
    }
    for host, paths in pages.items():
        for path in paths:
            outside.script.answers(f"{host}{path}", Reply(b"signed"))
        assert {each[0] for each in outside.get(GO, lib.sum, *paths, host=host)} == {200}


def test_go_builds_with_what_is_locked_cold_and_warm(outside: Registries, lib: Module) -> None:
    build = partial(go, outside, lib, "build", "./...")
    outside.serves_cold_and_warm(f"{PROXY}{lib.zip}", build)


def test_a_cache_that_was_warmed_is_enough_for_go(outside: Registries, lib: Module) -> None:
    build = partial(go, outside, lib, "build", "./...")
    outside.serves_offline_once_warmed(GO, lib.sum, "1 package: 3 files", build)


def test_go_agrees_about_every_digest(outside: Registries, lib: Module) -> None:
    """Go's own command computes what the test, and so the gateway, holds it to."""
    said = go(outside, lib, "mod", "download", "-json", "all")
    assert said.result[0] == 0, said.result[1]
    for line in lib.sum.splitlines():
        assert line.split()[2] in said.result[1]


def test_go_shows_the_reason_of_a_module_that_is_not_locked(
    outside: Registries, lib: Module
) -> None:
    said = go(outside, lib, "get", f"{lib.name}@v1.1.0")
    assert said.result[0] != 0
    assert f"lockfile_violation: {lib.name} v1.1.0 is not in go.sum" in said.result[1]
    # It looks for the module among all parts of its name.
    refused = {each["artifact"] for each in said.denials("lockfile_violation")}
    assert refused == {f"{lib.name} v1.1.0", "mods.example/Team v1.1.0", "mods.example v1.1.0"}


def test_go_shows_that_a_module_was_tampered_with(outside: Registries, lib: Module) -> None:
    outside.script.answers(f"{PROXY}{lib.zip}", Reply(lib.evil))
    said = go(outside, lib, "build", "./...")
    assert said.result[0] != 0
    assert f"integrity_mismatch: {lib.name} v1.0.0" in said.result[1]


@pytest.mark.parametrize("is_old", [True, False])
def test_under_a_cooldown_a_version_says_its_own_date(
    outside: Registries, lib: Module, *, is_old: bool
) -> None:
    policy = registry_policy("go", PROXY, more="cooldown: 7d")
    info = lib.file("v1.0.0", "info")
    if not is_old:
        outside.script.answers(f"{PROXY}{info}", Reply(b'{"Time":"2999-01-01T00:00:00Z"}'))
    places = [(PROXY, path) for path in (info, lib.mod, lib.zip, f"{lib.below}/@latest")]
    said = outside.ask(policy, lib.sum, *places)
    status = 200 if is_old else 403
    assert [each[0] for each in said.result] == [200, status, status, 403]
    assert len(said.denials("cooldown_active")) == (1 if is_old else 3)
