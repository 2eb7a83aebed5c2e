"""Mirrors: registries that the operator has asked elsewhere, with a token that no sandbox sees.

The mirror is private.test, at a private address; no policy here names it. Its public hosts have
answers of their own, which nobody may get.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import OPERATOR, eventually, opened
from tests.escape.mirror_world import BASIC, BEARER, OTHER, TOKEN, WITHIN, mirrors
from tests.escape.registry_internet import (
    FETCH,
    RUN,
    Package,
    Project,
    RegistryInternet,
    Reply,
    package_lock,
    packument,
    sha256,
    unique,
)
from tests.escape.registry_world import NPM, PYPI, Registries, registries, registry_policy
from tests.escape.test_registries_programs import NPM_CLIENTS, PRELUDE, PYPI_CLIENTS, folders_of
from tests.escape.traces import Searched

pytestmark = pytest.mark.escape

MIRROR: Final = "private.test/api/npm"
TOOLS: Final = f"{FETCH}{RUN}import os\n"


@pytest.fixture(scope="module")
def shared(programs: Path, token: Path) -> Iterator[Registries]:
    """Registries of this file, and an operator who has them asked at a mirror."""
    assert programs.is_dir()
    npm = "url: https://private.test/api/npm, auth: company"
    python = "url: https://private.test/api/pypi, auth: company, user: robot"
    token.with_name("own").write_text("npm_0123456789abcdefghijABCDEFGHIJ012345")
    own = f"  own: {{file: {token.with_name('own')}, hosts: [npm.test]}}\n"
    config = mirrors(token, own, npm_test=npm, index_test=python, files_test=python)
    with registries(config) as made:
        yield made


@pytest.fixture
def outside(shared: Registries, token: Path) -> Registries:
    """Registries in which nothing has arrived yet, and the right token."""
    internet = shared.world.internet
    internet.forget()
    internet.zone["private.test"] = [WITHIN]
    token.write_text(TOKEN)
    return shared


@pytest.fixture
def pad(outside: Registries) -> Package:
    """A package of this test alone: the mirror has it for TOKEN, the public host another one."""
    made = Package(unique("corporate"))
    outside.script.answers(made.place, Reply(made.tampered))
    outside.script.answers(f"{MIRROR}{made.file}", Reply(made.data, only=(BEARER,)))
    body = packument(made.name, {made.version: made.data}, MIRROR)
    outside.script.answers(
        f"{MIRROR}/{made.name}", Reply(body, kind="application/json", only=(BEARER,))
    )
    return made


def getting(*paths: str, flags: str = "") -> str:
    return f"{TOOLS}\nresult = [fetch('npm.test', path{flags}) for path in {paths!r}]"


def hosts(outside: Registries) -> set[str]:
    return {each.host for each in outside.script.asked}


def is_kept(outside: Registries, pad: Package) -> bool:
    said = outside.run(NPM, getting(pad.file), pad.lock, flags=("--offline",))
    return bool(said.result == [pad.good])


def test_npm_installs_from_the_mirror_by_its_public_name(outside: Registries, pad: Package) -> None:
    """Policy and lock file name npm.test alone, and so does everything inside."""
    wants = {"name": "work", "version": "1.0.0", "dependencies": {pad.name: pad.version}}
    lock = package_lock({pad.name: pad.entry}, wants)
    files = {"package.json": json.dumps(wants), ".npmrc": "registry=https://npm.test/\n"}
    program = f"""{TOOLS}
result = [run("npm", "--no-fund", "ci"), run("npm", "--no-fund", "view", "{pad.name}", "dist")]
result += [open("package-lock.json").read()]
"""
    said = outside.run(NPM, program, lock, files)
    (installed, first), (viewed, shown), after = said.result
    assert (installed, viewed) == (0, 0), (first, shown)
    assert pad.place in shown
    assert after == lock
    assert "private.test" not in json.dumps(said.result)
    assert hosts(outside) == {"private.test"}
    assert {each.authorization for each in outside.script.asked} == {BEARER}
    assert {each.address for each in outside.world.reached(port=443)} == {WITHIN}
    assert TOKEN not in json.dumps([said.result, said.audit, said.stderr])
    assert Searched(outside.world, TOKEN.encode()).found() == []
    asked = [each for each in said.audit if each.get("artifact")]
    assert {each["mirror"] for each in asked} == {"private.test"}
    assert {each["name"] for each in asked} == {"npm.test"}


def test_npm_resolves_anew_and_locks_the_public_name(outside: Registries, pad: Package) -> None:
    wants = {"name": "work", "version": "1.0.0", "dependencies": {pad.name: "*"}}
    files = {"package.json": json.dumps(wants), ".npmrc": "registry=https://npm.test/\n"}
    program = f"""{TOOLS}
os.remove("package-lock.json")
result = [run("npm", "--no-fund", "--no-audit", "install"), open("package-lock.json").read()]
"""
    said = outside.run(registry_policy(mode="off"), program, pad.lock, files)
    (status, text), lock = said.result
    assert status == 0, text
    assert json.loads(lock)["packages"][f"node_modules/{pad.name}"] == pad.entry


@pytest.mark.parametrize("is_relative", [False, True])
def test_pip_installs_from_the_mirror(outside: Registries, *, is_relative: bool) -> None:
    """One mirror for the index and its file host, as a user with a password."""
    made = Project(unique("corporate_python"))
    base = "../.." if is_relative else "https://private.test/api/pypi"
    file = made.file.rpartition("/")[2]
    link = f'<a href="{base}{made.file}#sha256={sha256(made.wheel)}">{file}</a>'
    page = Reply(link.encode(), kind="text/html", only=(BASIC,))
    outside.script.answers(f"private.test/api/pypi/simple/{made.name}/", page)
    outside.script.answers(f"private.test/api/pypi{made.file}", Reply(made.wheel, only=(BASIC,)))
    program = f"""{TOOLS}
flags = ["--no-cache-dir", "--require-hashes", "--target", "/tmp/to", "-i"]
flags += ["https://index.test/simple"]
result = run("pip3", "install", *flags, "-r", "requirements.txt")
"""
    said = outside.run(PYPI, program, made.lock)
    assert said.result[0] == 0, said.result
    assert "private.test" not in json.dumps(said.result)
    assert {each.authorization for each in outside.script.asked} == {BASIC}
    assert hosts(outside) == {"private.test"}


def test_a_file_is_had_where_the_mirrors_own_page_has_it(outside: Registries) -> None:
    """A lock file has the public host's address of it, and the mirror another layout (R25)."""
    made, evil = Project(unique("corporate_python")), Project(unique("corporate_python"))
    for each, data in ((made, made.wheel), (evil, made.wheel)):
        own = f"/packages/{each.name}/1.0/{Path(each.file).name}"
        page = Reply(f'<a href="../..{own}">x</a>'.encode(), kind="text/html", only=(BASIC,))
        outside.script.answers(f"private.test/api/pypi/simple/{each.name}/", page)
        outside.script.answers(f"private.test/api/pypi{own}", Reply(data, only=(BASIC,)))
    paths = (made.file, made.file, evil.file, "/packages/aa/absent-1.0.tar.gz")
    program = f"{TOOLS}\nresult = [fetch('files.test', path) for path in {paths!r}]"
    lock = f"{made.lock}{evil.lock}absent==1.0 --hash=sha256:{sha256(b'absent')}\n"
    said = outside.run(PYPI, program, lock)
    good = [200, "OK", sha256(made.wheel), len(made.wheel)]
    assert said.result[:2] == [good, good]
    assert [each[0] for each in said.result[2:]] == [403, 404]
    assert said.denials("integrity_mismatch")[0]["artifact"] == f"{evil.name} 1.0"
    assert "private.test" not in json.dumps(said.result)
    asked = [each.path for each in outside.script.asked]
    assert asked.count(f"/api/pypi{made.file}") == 1
    assert {each.authorization for each in outside.script.asked} == {BASIC}
    assert hosts(outside) == {"private.test"}


@pytest.mark.parametrize("client", ["pnpm", "yarn 4"])
def test_other_clients_of_npm_work_with_the_mirror(
    outside: Registries, pad: Package, client: str
) -> None:
    page = json.loads(packument(pad.name, {pad.version: pad.data}, MIRROR))
    page["time"] = {pad.version: "2020-01-01T00:00:00Z"}  # yarn wants to know
    body = json.dumps(page).encode()
    paged = Reply(body, kind="application/json", only=(BEARER,))
    outside.script.answers(f"{MIRROR}/{pad.name}", paged)
    line = NPM_CLIENTS[client]
    add = line.replace("SPEC", f"{pad.name}@{pad.version}")
    manifest = json.dumps({"name": "work", "version": "1.0.0"})
    program = f"""{PRELUDE}
open("/tmp/work/package.json", "w").write({manifest!r})
result = run({add!r})
"""
    works_once_and_offline(outside, NPM, program, pad.lock, line)


def test_uv_installs_from_the_mirror(outside: Registries) -> None:
    """Its index names files by relative links, as several products do."""
    made = Project(unique("corporate_python"))
    file = made.file.rpartition("/")[2]
    link = f'<a href="../..{made.file}#sha256={sha256(made.wheel)}">{file}</a>'
    page = Reply(link.encode(), kind="text/html", only=(BASIC,))
    outside.script.answers(f"private.test/api/pypi/simple/{made.name}/", page)
    outside.script.answers(f"private.test/api/pypi{made.file}", Reply(made.wheel, only=(BASIC,)))
    line = PYPI_CLIENTS["uv"]
    program = f"{PRELUDE}\nresult = run({line.replace('NAME', made.name)!r})"
    works_once_and_offline(outside, PYPI, program, made.lock, line)


def works_once_and_offline(
    outside: Registries, policy: str, program: str, lock: str, line: str
) -> None:
    flags = folders_of(line)
    said = outside.run(policy, program, lock, flags=flags)
    assert said.result[0] == 0, said.result
    assert "private.test" not in json.dumps(said.result)
    assert TOKEN not in json.dumps([said.result, said.audit, said.stderr])
    assert hosts(outside) == {"private.test"}

    def is_had() -> bool:
        offline = outside.run(policy, program, lock, flags=(*flags, "--offline"))
        return bool(offline.result[0] == 0)

    assert eventually(is_had, 60)


def test_what_the_mirror_sent_is_found_by_its_identity_only(
    outside: Registries, pad: Package, token: Path
) -> None:
    """R22: another token, or an operator without the mirror, finds nothing of it."""
    program = getting(pad.file)
    assert outside.run(NPM, program, pad.lock).result == [pad.good]
    assert eventually(lambda: is_kept(outside, pad), 60)
    token.write_text(OTHER)
    assert not is_kept(outside, pad)
    said = outside.run(NPM, program, pad.lock)
    assert [each[0] for each in said.result] == [403]
    (refused,) = said.denials("secret_unavailable")
    assert "private.test, the mirror of npm.test, answers 401" in refused["reason"]
    assert "'company'" in refused["reason"]
    told = [each.authorization for each in outside.script.asked]
    assert told == [BEARER, f"Bearer {OTHER}"]
    token.write_text(TOKEN)
    assert is_kept(outside, pad)  # the control


def test_another_operator_of_the_same_cache_has_what_the_public_host_says(
    outside: Registries, pad: Package, tmp_path: Path
) -> None:
    """R22: with one cache folder, but without mirrors."""
    assert outside.run(NPM, getting(pad.file), pad.lock).result == [pad.good]
    assert eventually(lambda: is_kept(outside, pad), 60)
    home = outside.world.home
    other = replace(
        home,
        home=tmp_path / "h",
        runtime=tmp_path / "r",
        state=tmp_path / "s",
        config=tmp_path / "x",
    )
    for folder in (other.home, other.runtime, other.state, other.config):
        folder.mkdir(mode=0o700)
    trust = (home.config / "cleanroom/config.yaml").read_text().partition("mirrors:")[0]
    trust = trust.partition("secrets:")[0]
    assert "trust" in trust
    assert OPERATOR in trust
    with opened(other, trust, RegistryInternet) as world:
        stranger = Registries(world)
        stranger.script.answers(pad.place, Reply(pad.tampered))
        said = stranger.run(NPM, getting(pad.file), pad.lock, flags=("--offline",))
        assert said.denials("offline_miss")
        said = stranger.run(NPM, getting(pad.file), pad.lock)
        assert said.denials("integrity_mismatch")  # those of its public host


def test_without_a_value_nothing_starts(outside: Registries, pad: Package, token: Path) -> None:
    token.unlink()
    running = outside.world.start(NPM, "result = 1", files={"package-lock.json": pad.lock})
    _, err = running.process.communicate(timeout=120)
    assert running.process.returncode == 125
    assert b"secret 'company'" in err
    assert not outside.script.asked


def test_other_bytes_than_the_lock_file_pins_are_refused(outside: Registries, pad: Package) -> None:
    outside.script.answers(f"{MIRROR}{pad.file}", Reply(pad.tampered))
    said = outside.run(NPM, getting(pad.file), pad.lock)
    assert [each[0] for each in said.result] == [403]
    assert len(said.denials("integrity_mismatch")) == 1


def test_while_the_mirror_is_down_there_is_what_was_kept(outside: Registries, pad: Package) -> None:
    """And never what the public host has."""
    fresh = Package(unique("corporate"))
    outside.script.answers(fresh.place, Reply(fresh.data))
    assert outside.run(NPM, getting(pad.file), pad.lock).result == [pad.good]
    assert eventually(lambda: is_kept(outside, pad), 60)
    for each in (pad, fresh):
        outside.script.answers(f"{MIRROR}{each.file}", Reply(status=503))
    assert outside.run(NPM, getting(pad.file), pad.lock).result == [pad.good]
    said = outside.run(NPM, getting(fresh.file), fresh.lock)
    assert [each[0] for each in said.result] == [502]
    assert "private.test" in json.dumps(said.audit)
    assert hosts(outside) == {"private.test"}


REDIRECTS: Final[dict[str, tuple[str, int]]] = {
    "of its own": ("https://private.test/api/npm/PATH", 200),
    "relative": ("/api/npm/PATH", 200),
    "to its public name": ("https://npm.test/PATH", 200),
    "beside its place": ("https://private.test/other/PATH", 403),
    "below a longer name": ("https://private.test/api/npm2/PATH", 403),
    "to another package": ("https://private.test/api/npm/left-pad/-/left-pad-1.0.0.tgz", 403),
    "to another host": ("https://evil.test/PATH", 403),
    "to plain text": ("http://private.test/api/npm/PATH", 403),
    "above its place": ("https://private.test/api/npm/%2e%2e/PATH", 403),
}


def test_a_redirect_of_the_mirror_is_judged_by_public_names(outside: Registries) -> None:
    pads = {where: Package(unique("moved")) for where in REDIRECTS}
    for where, each in pads.items():
        location = REDIRECTS[where][0].replace("PATH", each.file[1:])
        moved = Reply(b"", 302, (f"Location: {location}",), only=(BEARER,))
        outside.script.answers(f"{MIRROR}{each.file}", moved, Reply(each.data, only=(BEARER,)))
        for place in ("private.test/other", "private.test/api/npm2", "evil.test", "npm.test"):
            outside.script.answers(f"{place}{each.file}", Reply(each.data))
    lock = package_lock({each.name: each.entry for each in pads.values()})
    said = outside.run(NPM, getting(*(each.file for each in pads.values())), lock)
    got = {where: each[0] for where, each in zip(pads, said.result, strict=True)}
    assert got == {where: status for where, (_, status) in REDIRECTS.items()}
    assert hosts(outside) == {"private.test"}
    followed = [each.path for each in outside.script.asked if "moved" in each.path]
    assert len(followed) == len(pads) + sum(status == 200 for status in got.values())


def test_the_mirrors_own_name_is_nothing_to_a_sandbox(outside: Registries, pad: Package) -> None:
    """Nor are its addresses, and a secret of the sandbox is not for it."""
    program = f"""{TOOLS}
result = [fetch("private.test", "/api/npm{pad.file}"), fetch("{WITHIN}", "/api/npm{pad.file}")]
result += [fetch("npm.test", "/-/whoami")]
"""
    said = outside.run(registry_policy(more="read_only: false"), program, pad.lock)
    assert [each[0] for each in said.result] == [0, 0, 403]
    assert not outside.script.asked
    assert not outside.world.reached(WITHIN)


def test_a_policy_that_names_the_mirror_does_not_have_the_operators_connection(
    outside: Registries, pad: Package
) -> None:
    """The operator's word lets it be private for the mirror's own requests only."""
    policy = registry_policy(hosts="npm.test, private.test")
    program = (
        f"{TOOLS}\nresult = [fetch(host, {pad.file!r}) for host in ('npm.test', 'private.test')]"
    )
    said = outside.run(policy, program, pad.lock)
    assert [each[0] for each in said.result] == [200, 403]
    assert said.denials("address_not_allowed")
    assert hosts(outside) == {"private.test"}
    assert len(outside.script.asked) == 1


def test_a_secret_for_the_public_host_goes_to_no_mirror(outside: Registries, pad: Package) -> None:
    policy = f"{NPM}secrets:\n  - {{id: own, env: OWN, allowed_hosts: [npm.test]}}\n"
    program = f"""{TOOLS}
told = {{"Authorization": "Bearer " + os.environ["OWN"]}}
result = [fetch("npm.test", {pad.file!r}, **told), fetch("npm.test", {pad.file!r})]
"""
    said = outside.run(policy, program, pad.lock)
    assert [each[0] for each in said.result] == [403, 200]
    assert len(said.denials("secret_scope_violation")) == 1
    assert [each.authorization for each in outside.script.asked] == [BEARER]


def test_a_mirror_that_repeats_the_token_tells_it_to_nobody(
    outside: Registries, pad: Package
) -> None:
    """R23."""
    echo = json.dumps({"name": pad.name, "versions": {}, "you": BEARER}).encode()
    outside.script.answers(f"{MIRROR}/{pad.name}", Reply(echo, kind="application/json"))
    outside.script.answers(f"{MIRROR}{pad.file}", Reply(b"for " + TOKEN.encode() + bytes(100)))
    program = f"""{TOOLS}
import urllib.request
with urllib.request.urlopen("https://npm.test/{pad.name}", timeout=60) as answer:
    page = answer.read().decode()
result = [page, fetch("npm.test", {pad.file!r})[0]]
"""
    said = outside.run(registry_policy(mode="off"), program, pad.lock)
    assert "Bearer " in said.result[0]
    assert said.result[1] == 403
    assert TOKEN not in json.dumps([said.result, said.audit, said.stderr])
    folder = outside.world.home.cache / "cleanroom/content"
    assert not [
        each
        for each in folder.glob("**/*")
        if each.is_file() and TOKEN.encode() in each.read_bytes()
    ]


def test_warming_asks_the_mirror(outside: Registries, pad: Package) -> None:
    status, out, err = outside.warm(NPM, pad.lock)
    assert status == 0, (out, err)
    assert hosts(outside) == {"private.test"}
    assert is_kept(outside, pad)
