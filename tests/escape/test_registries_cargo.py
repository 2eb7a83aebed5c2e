"""Crates: what Cargo.lock pins comes from the cache, verified; nothing else comes.

By requests of our own, and by cargo itself. Promises R1, R2, R10, R13 for registries of Cargo.
"""

import json
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.registry_internet import Reply, sha256, unique
from tests.escape.registry_modules import INDEX, STATIC, Crate, have_crates
from tests.escape.registry_world import CARGO, Registries, registry_policy

pytestmark = pytest.mark.escape

MANIFEST: Final = """
[package]
name = "work"
version = "0.1.0"
edition = "2021"
[dependencies]
NAME = "1"
"""
SOURCE: Final = f"""
[source.crates-io]
replace-with = "test"
[source.test]
registry = "sparse+https://{INDEX}/"
"""
RUN: Final = """
import os, shutil, subprocess
shutil.copytree(".", "/tmp/work")
os.makedirs("/tmp/work/src")
os.makedirs("/tmp/work/.cargo")
shutil.move("/tmp/work/lib.rs", "/tmp/work/src/lib.rs")
shutil.move("/tmp/work/source.toml", "/tmp/work/.cargo/config.toml")
def run(*words):
    done = subprocess.run(("/usr/bin/cargo", *words), capture_output=True, text=True, timeout=100,
                          cwd="/tmp/work")
    return [done.returncode, done.stdout + done.stderr]
"""


@pytest.fixture
def pad(outside: Registries) -> Crate:
    """A crate of this test alone, of which the registry has two versions."""
    made = Crate(unique("left_pad"))
    have_crates(outside.script, made.name, {"1.0.0": made.good, "1.0.1": made.newer})
    return made


def cargo(
    outside: Registries, pad: Crate, *words: str, lock: str = "", flags: tuple[str, ...] = ()
) -> Report:
    """Run cargo in a workspace that needs the crate."""
    if not Path("/usr/bin/cargo").exists():
        pytest.skip("this machine lacks cargo")
    files = {
        "Cargo.toml": MANIFEST.replace("NAME", pad.name),
        "lib.rs": f"pub use {pad.name}::say;\n",
        "source.toml": SOURCE,
    }
    program = f"{RUN}\nresult = run(*{words!r})"
    return outside.run(CARGO, program, lock or pad.lock, files, flags)


def test_a_locked_crate_is_fetched_once_for_all_sandboxes(outside: Registries, pad: Crate) -> None:
    for _ in range(2):
        (got,) = outside.get(CARGO, pad.lock, pad.path, host=STATIC)
        assert got == [200, "OK", sha256(pad.good), len(pad.good)]
    assert outside.script.count(f"{STATIC}{pad.path}") == 1


def test_the_lock_file_speaks_not_the_index(outside: Registries, pad: Crate) -> None:
    """The registry changed the crate and its checksum in the index together."""
    have_crates(outside.script, pad.name, {"1.0.0": pad.evil})
    said = outside.ask(CARGO, pad.lock, (INDEX, pad.page), (STATIC, pad.path))
    assert [each[0] for each in said.result] == [200, 403]
    (denied,) = said.denials("integrity_mismatch")
    assert denied["artifact"] == f"{pad.name} 1.0.0"
    assert not outside.keeps_any(pad.evil)
    outside.script.answers(f"{STATIC}{pad.path}", Reply(pad.good))
    assert outside.get(CARGO, pad.lock, pad.path, host=STATIC)[0][2] == sha256(pad.good)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (STATIC, "/crates/PAD/1.0.1/download"),
        (STATIC, "/crates/other/1.0.0/download"),
        (STATIC, "/crates/PAD/PAD-1.0.1.crate"),
        (STATIC, "/SHA256"),
        (INDEX, "/api/v1/crates?q=left"),
        (INDEX, "/api/v1/crates/PAD/owners"),
        (INDEX, "/index/info/refs?service=git-upload-pack"),
    ],
)
def test_nothing_else_is_asked_for(outside: Registries, pad: Crate, host: str, path: str) -> None:
    asked = path.replace("PAD", pad.name).replace("SHA256", sha256(pad.good))
    outside.script.answers(f"{host}{asked}", Reply(pad.good))
    said = outside.ask(CARGO, pad.lock, (host, asked), (INDEX, "/config.json"))
    assert [each[0] for each in said.result] == [403, 200]
    assert outside.script.count(f"{host}{asked}") == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/crates/new"),
        ("DELETE", "/api/v1/crates/PAD/1.0.0/yank"),
        ("PUT", "/crates/PAD/1.0.0/download"),
    ],
)
def test_nothing_is_written(outside: Registries, pad: Crate, method: str, path: str) -> None:
    said = outside.ask(CARGO, pad.lock, (STATIC, path.replace("PAD", pad.name), method))
    assert said.result[0][0] == 403
    assert said.denials("registry_not_allowed")
    assert outside.script.asked == []


@pytest.mark.parametrize("host", [STATIC, "evil.test"])
def test_a_download_is_followed_to_a_host_of_the_registry_only(
    outside: Registries, pad: Crate, host: str
) -> None:
    api = f"/api/v1/crates/{pad.name}/1.0.0/download"
    location = f"Location: https://{host}{pad.path}"
    outside.script.answers(f"{INDEX}{api}", Reply(status=302, fields=(location,)))
    outside.script.answers(f"{host}{pad.path}", Reply(pad.good))
    (got,) = outside.get(CARGO, pad.lock, api, host=INDEX)
    assert (got[2] == sha256(pad.good)) is (host == STATIC)
    assert outside.script.count(f"{host}{pad.path}") == (1 if host == STATIC else 0)


def test_cargo_fetches_and_checks_cold_and_warm(outside: Registries, pad: Crate) -> None:
    fetch = partial(cargo, outside, pad, "fetch", "--locked")
    outside.serves_cold_and_warm(f"{STATIC}{pad.path}", fetch)


def test_a_cache_that_was_warmed_is_enough_for_cargo(outside: Registries, pad: Crate) -> None:
    fetch = partial(cargo, outside, pad, "fetch", "--locked")
    outside.serves_offline_once_warmed(CARGO, pad.lock, "1 package: 2 files", fetch)


def test_cargo_builds_with_what_is_locked(outside: Registries, pad: Crate) -> None:
    said = cargo(outside, pad, "check", "--locked")
    assert said.result[0] == 0, said.result[1]


def test_cargo_shows_the_reason_of_a_crate_that_is_not_locked(
    outside: Registries, pad: Crate
) -> None:
    said = cargo(outside, pad, "fetch", lock="version = 4\n")
    assert said.result[0] != 0
    assert f"lockfile_violation: {pad.name} 1.0.1 is not in Cargo.lock" in said.result[1]
    assert {each["artifact"] for each in said.denials("lockfile_violation")} == {
        f"{pad.name} 1.0.1"
    }


def test_cargo_shows_that_a_crate_was_tampered_with(outside: Registries, pad: Crate) -> None:
    outside.script.answers(f"{STATIC}{pad.path}", Reply(pad.evil))
    said = cargo(outside, pad, "fetch", "--locked")
    assert said.result[0] != 0
    assert f"integrity_mismatch: {pad.name} 1.0.0" in said.result[1], said.result[1]


@pytest.mark.parametrize("date", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", None])
def test_under_a_cooldown_the_index_says_the_dates(
    outside: Registries, pad: Crate, date: str | None
) -> None:
    policy = registry_policy("cargo", f"{INDEX}, {STATIC}", more="cooldown: 7d")
    line = {"vers": "1.0.0", **({"pubtime": date} if date else {})}
    outside.script.answers(f"{INDEX}{pad.page}", Reply(json.dumps(line).encode()))
    listed, file = outside.ask(policy, pad.lock, (INDEX, pad.page), (STATIC, pad.path)).result
    is_old = date is not None and date.startswith("2020")
    assert (listed[0], bool(listed[3]), file[0]) == (200, is_old, 200 if is_old else 403)
